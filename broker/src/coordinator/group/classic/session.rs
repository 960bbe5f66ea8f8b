//! Who is still there: heartbeats, leaving, and what happens when an alarm goes off.

use milena_protocol::{
    ErrorCode,
    messages::{
        HeartbeatRequest, LeaveGroupRequest, LeaveGroupResponse,
        groups::leave_group::{MemberIdentity, MemberResponse},
    },
    wire::Str,
};
use tracing::debug;

use super::{Group, State, join_refused};
use crate::coordinator::group::{Reply, Subject, machine::Step};

impl Group {
    pub(in crate::coordinator::group) fn heartbeat(
        &mut self,
        r: &HeartbeatRequest,
        step: &mut Step<'_>,
    ) -> ErrorCode {
        let instance = r.group_instance_id.as_ref();
        if let Err(error) = self.check_generation(&r.member_id, instance, r.generation_id) {
            return error;
        }
        self.rearm(&r.member_id, step);
        match self.state {
            State::Empty => ErrorCode::UnknownMemberId,
            State::PreparingRebalance => ErrorCode::RebalanceInProgress,
            State::CompletingRebalance | State::Stable => ErrorCode::None,
        }
    }

    pub(in crate::coordinator::group) fn leave(
        &mut self,
        r: &LeaveGroupRequest,
        step: &mut Step<'_>,
    ) -> LeaveGroupResponse {
        let members: Vec<MemberResponse> = r
            .members
            .iter()
            .map(|leaver| MemberResponse {
                member_id: leaver.member_id.clone(),
                group_instance_id: leaver.group_instance_id.clone(),
                error_code: self.take_out(leaver, step).err().unwrap_or_default(),
            })
            .collect();
        if members.iter().any(|member| member.error_code.is_ok()) {
            self.go_on_without(step);
        }
        LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
    }

    /// A commit shows that a member is alive, too.
    pub(in crate::coordinator::group) fn committed(&mut self, member: &Str, step: &mut Step<'_>) {
        if matches!(self.state, State::Stable | State::PreparingRebalance) {
            self.rearm(member, step);
        }
    }

    /// An alarm went off.
    pub(in crate::coordinator::group) fn expire(&mut self, subject: &Subject, step: &mut Step<'_>) {
        match subject {
            Subject::Join(_) => self.join_expired(step),
            Subject::Sync(_) => self.sync_expired(step),
            Subject::Session { member, .. } => self.session_expired(member, step),
            Subject::Deadline { .. } | Subject::Sweep | Subject::Forget(_) => {}
        }
    }

    /// Sessions begin anew after a restart; whoever is gone will be missed.
    pub(in crate::coordinator::group) fn resume(&mut self, step: &mut Step<'_>) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in &ids {
            self.rearm(id, step);
        }
        if ids.len() > step.limits.members_max {
            self.prepare_rebalance(step);
        }
    }

    fn session_expired(&mut self, id: &Str, step: &mut Step<'_>) {
        match self.members.get(id) {
            Some(member) if member.may_be_silent() => {}
            Some(_) => {
                debug!(group = %self.id, member = %id, "a member's session has ended");
                self.dismiss(id, step);
                self.go_on_without(step);
            }
            None if self.promised.contains_key(id) => {
                self.remove(id);
                self.complete_if_all_joined(step);
            }
            None => {}
        }
    }

    fn take_out(&mut self, leaver: &MemberIdentity, step: &mut Step<'_>) -> Result<(), ErrorCode> {
        let instance = leaver.group_instance_id.as_ref();
        if leaver.member_id.is_empty() {
            // An administrator removes a static member by its name.
            let id = instance.and_then(|instance| self.instances.get(instance)).cloned();
            self.dismiss(&id.ok_or(ErrorCode::UnknownMemberId)?, step);
        } else if self.promised.contains_key(&leaver.member_id) {
            self.remove(&leaver.member_id);
        } else {
            self.check_member(&leaver.member_id, instance)?;
            self.dismiss(&leaver.member_id, step);
        }
        Ok(())
    }

    /// Removes a member. If a request of it waits, it hears that it is unknown and starts over.
    fn dismiss(&mut self, id: &Str, step: &mut Step<'_>) {
        let Some(member) = self.remove(id) else { return };
        if let Some(ticket) = member.joining {
            let told = join_refused(Str::default(), ErrorCode::UnknownMemberId);
            step.turn.reply(ticket, Reply::Join(told));
        }
        if let Some(ticket) = member.syncing {
            let told = super::sync::refused(ErrorCode::UnknownMemberId);
            step.turn.reply(ticket, Reply::Sync(told));
        }
    }

    fn go_on_without(&mut self, step: &mut Step<'_>) {
        match self.state {
            State::Empty => {}
            State::PreparingRebalance => self.complete_if_all_joined(step),
            State::CompletingRebalance | State::Stable => self.prepare_rebalance(step),
        }
    }
}
