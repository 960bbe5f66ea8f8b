//! SyncGroup: the second phase of a rebalance.

use std::collections::BTreeMap;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::{SyncGroupRequest, SyncGroupResponse},
    wire::Str,
};

use super::{Group, State};
use crate::coordinator::{
    group::{Reply, machine::Step},
    runtime::Ticket,
};

impl Group {
    pub(in crate::coordinator::group) fn sync(
        &mut self,
        ticket: Ticket,
        r: &SyncGroupRequest,
        step: &mut Step<'_>,
    ) {
        if let Err(error) = self.check_sync(r) {
            return step.turn.reply(ticket, Reply::Sync(refused(error)));
        }
        let id = &r.member_id;
        self.unsynced.remove(id);
        match self.state {
            // Members are not checked in an empty group: there are none.
            State::Empty => {
                step.turn.reply(ticket, Reply::Sync(refused(ErrorCode::UnknownMemberId)));
            }
            State::PreparingRebalance => {
                step.turn.reply(ticket, Reply::Sync(refused(ErrorCode::RebalanceInProgress)));
            }
            State::CompletingRebalance => {
                let superseded =
                    self.members.get_mut(id).and_then(|member| member.syncing.replace(ticket));
                if let Some(old) = superseded {
                    let told = refused(ErrorCode::RebalanceInProgress);
                    step.turn.reply(old, Reply::Sync(told));
                }
                if self.is_leader(id) {
                    self.assign(r, step);
                }
            }
            State::Stable => step.turn.reply(ticket, Reply::Sync(self.assigned(id))),
        }
    }

    /// The time for asking for assignments is over: whoever has not is out.
    pub(super) fn sync_expired(&mut self, step: &mut Step<'_>) {
        if !matches!(self.state, State::CompletingRebalance | State::Stable) {
            return;
        }
        let absent: Vec<Str> = self.unsynced.iter().cloned().collect();
        if absent.is_empty() {
            return;
        }
        for id in &absent {
            self.remove(id);
        }
        self.prepare_rebalance(step);
    }

    fn check_sync(&self, r: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_generation(&r.member_id, r.group_instance_id.as_ref(), r.generation_id)?;
        let differs = |theirs: &Option<Str>, ours: &Option<Str>| matches!((theirs, ours), (Some(theirs), Some(ours)) if theirs != ours);
        if differs(&r.protocol_type, &self.protocol_type)
            || differs(&r.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Takes over the leader's assignment and tells everyone who waits for it.
    fn assign(&mut self, r: &SyncGroupRequest, step: &mut Step<'_>) {
        let assignments: BTreeMap<&Str, &Bytes> =
            r.assignments.iter().map(|one| (&one.member_id, &one.assignment)).collect();
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in &ids {
            let assignment = assignments.get(id).map(|&bytes| Bytes::copy_from_slice(bytes));
            if let Some(member) = self.members.get_mut(id) {
                member.assignment = assignment.unwrap_or_default();
            }
        }
        self.enter(State::Stable, step.turn.now.wall);
        step.turn.write(self.record());
        for id in &ids {
            let waiting = self.members.get_mut(id).and_then(|member| member.syncing.take());
            if let Some(ticket) = waiting {
                step.turn.reply(ticket, Reply::Sync(self.assigned(id)));
                self.rearm(id, step);
            }
        }
    }

    fn assigned(&self, id: &Str) -> SyncGroupResponse {
        let member = self.members.get(id);
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: member.map(|member| member.assignment.clone()).unwrap_or_default(),
            ..SyncGroupResponse::default()
        }
    }
}

pub(super) fn refused(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
}
