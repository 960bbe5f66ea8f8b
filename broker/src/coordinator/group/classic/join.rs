//! JoinGroup: the first phase of a rebalance.

use milena_protocol::{
    ErrorCode,
    messages::{JoinGroupRequest, JoinGroupResponse, groups::join_group::JoinGroupRequestProtocol},
    wire::Str,
};

use super::{
    Group, NEW_MEMBER_TIMEOUT_MS, State,
    member::{self, Member},
};
use crate::coordinator::{
    group::{Joiner, Reply, Subject, machine::Step},
    runtime::{Alarm, Ticket},
};

impl Group {
    pub(in crate::coordinator::group) fn join(
        &mut self,
        ticket: Ticket,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) {
        let is_known = !r.member_id.is_empty();
        let names = r.protocols.iter().map(|offered: &JoinGroupRequestProtocol| &offered.name);
        let answer = if !self.has_room_for(&r.member_id, step.limits.members_max) {
            self.remove(&r.member_id);
            Some(join_refused(Str::default(), ErrorCode::GroupMaxSizeReached))
        } else if !self.is_compatible(&r.protocol_type, names.cloned()) {
            Some(join_refused(r.member_id.clone(), ErrorCode::InconsistentGroupProtocol))
        } else if is_known {
            self.join_again(ticket, r, joiner, step)
        } else {
            self.join_anew(ticket, r, joiner, step)
        };
        if let Some(answer) = answer {
            step.turn.reply(ticket, Reply::Join(answer));
        }
    }

    /// What a member is told once the group has a new generation: all members if it leads, and
    /// nothing of them if it does not.
    pub(super) fn joined(&self, id: &Str) -> JoinGroupResponse {
        let protocol = self.protocol.as_ref();
        let seen = |(id, member): (&Str, &Member)| member.as_seen_by_leader(id, protocol);
        let leads = self.is_leader(id);
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members: if leads { self.members.iter().map(seen).collect() } else { Vec::new() },
            ..JoinGroupResponse::default()
        }
    }

    fn has_room_for(&self, id: &Str, max: usize) -> bool {
        let member = self.members.get(id);
        match self.state {
            State::Empty => true,
            // Whoever joins first stays: this shrinks a group whose limit was lowered.
            State::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some()) || self.joining < max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    /// Someone without an id: a new member, or a static one that was restarted. The answer, unless
    /// it has to wait for the others.
    fn join_anew(
        &mut self,
        ticket: Ticket,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) -> Option<JoinGroupResponse> {
        let name = r.group_instance_id.as_ref().unwrap_or(&joiner.client_id);
        let id = Str::from(format!("{name}-{}", joiner.unique));
        let instance = r.group_instance_id.as_ref();
        if let Some(old) = instance.and_then(|instance| self.instances.get(instance)).cloned() {
            return self.replace(ticket, &old, id, r, joiner, step);
        }
        if instance.is_none() && joiner.joins_twice {
            let mut alarm = Alarm::default();
            let subject = || Subject::Session { group: self.id.clone(), member: id.clone() };
            step.set(&mut alarm, r.session_timeout_ms, subject);
            self.promised.insert(id.clone(), alarm);
            return Some(join_refused(id, ErrorCode::MemberIdRequired));
        }
        self.add(ticket, id, r, joiner, step);
        None
    }

    /// Someone who was given an id. The answer, unless it has to wait for the others.
    fn join_again(
        &mut self,
        ticket: Ticket,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) -> Option<JoinGroupResponse> {
        let id = &r.member_id;
        if self.promised.contains_key(id) {
            if r.group_instance_id.is_some() {
                return Some(join_refused(id.clone(), ErrorCode::UnknownMemberId));
            }
            self.add(ticket, id.detached(), r, joiner, step);
            return None;
        }
        if let Err(error) = self.check_member(id, r.group_instance_id.as_ref()) {
            return Some(join_refused(id.clone(), error));
        }
        let unchanged = self.members.get(id).is_some_and(|member| member.offers(&r.protocols));
        match self.state {
            State::Empty => Some(join_refused(id.clone(), ErrorCode::UnknownMemberId)),
            // It may have missed the answer: the generation is still the one it asked for.
            State::CompletingRebalance if unchanged => Some(self.joined(id)),
            // A leader that joins again wants to assign anew.
            State::Stable if unchanged && !self.is_leader(id) => Some(self.joined(id)),
            _ => {
                self.renew(ticket, id, r, step);
                self.rebalance_or_complete(step);
                None
            }
        }
    }

    fn add(
        &mut self,
        ticket: Ticket,
        id: Str,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) {
        if let Some(first) = &mut self.first_rebalance {
            first.someone_came = true;
        }
        let mut member = Member::new(r, joiner);
        member.joining = Some(ticket);
        // It cannot send heartbeats before it knows its id. Should it go away meanwhile and come
        // back as another, then this one is not to stay for ever.
        let subject = || Subject::Session { group: self.id.clone(), member: id.clone() };
        step.set(&mut member.session, NEW_MEMBER_TIMEOUT_MS, subject);
        self.insert(id, member, &r.protocol_type);
        self.rebalance_or_complete(step);
    }

    /// Takes over what a member says in its new join; a join of it that still waits is answered.
    fn renew(&mut self, ticket: Ticket, id: &Str, r: &JoinGroupRequest, step: &mut Step<'_>) {
        let mut superseded = None;
        self.update(id, |member| {
            member.protocols = member::protocols_of(r);
            member.rebalance_timeout_ms = member::rebalance_timeout_ms(r);
            member.session_timeout_ms = r.session_timeout_ms;
            superseded = member.joining.replace(ticket);
        });
        if let Some(old) = superseded {
            let told = join_refused(id.clone(), ErrorCode::RebalanceInProgress);
            step.turn.reply(old, Reply::Join(told));
        }
    }

    /// A static member is back under a new id. In a stable group that changes nothing for the
    /// others. The answer, unless it has to wait for them.
    fn replace(
        &mut self,
        ticket: Ticket,
        old: &Str,
        id: Str,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) -> Option<JoinGroupResponse> {
        let old_leader = self.leader.clone();
        self.rename(old, &id, step);
        self.rearm(&id, step);
        if self.state != State::Stable {
            self.renew(ticket, &id, r, step);
            match self.state {
                // The leader may be assigning to the old id by now.
                State::CompletingRebalance => self.prepare_rebalance(step),
                _ => self.complete_if_all_joined(step),
            }
            return None;
        }
        self.update(&id, |member| {
            member.protocols = member::protocols_of(r);
            member.rebalance_timeout_ms = member::rebalance_timeout_ms(r);
            member.session_timeout_ms = r.session_timeout_ms;
        });
        if self.protocol != self.elect_protocol() {
            self.update(&id, |member| member.joining = Some(ticket));
            self.rebalance_or_complete(step);
            return None;
        }
        step.turn.write(self.record());
        let mut answer = self.joined(&id);
        if joiner.can_skip_assignment {
            answer.skip_assignment = self.is_leader(&id);
        } else {
            // A leader that does not know the field would assign, and so must not find out.
            answer.leader = old_leader.unwrap_or_default();
            answer.members.clear();
        }
        Some(answer)
    }

    /// Gives a static member another id and fences whoever still uses the old one.
    fn rename(&mut self, old: &Str, id: &Str, step: &mut Step<'_>) {
        let Some(mut member) = self.members.remove(old) else { return };
        if let Some(ticket) = member.joining.take() {
            self.joining = self.joining.saturating_sub(1);
            let fenced = join_refused(old.clone(), ErrorCode::FencedInstanceId);
            step.turn.reply(ticket, Reply::Join(fenced));
        }
        if let Some(ticket) = member.syncing.take() {
            step.turn.reply(ticket, Reply::Sync(super::sync::refused(ErrorCode::FencedInstanceId)));
        }
        member.is_new = false;
        member.session = Alarm::default();
        if self.unsynced.remove(old).is_some() {
            self.unsynced.insert(id.clone());
        }
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        if self.is_leader(old) {
            self.leader = Some(id.clone());
        }
        self.members.insert(id.clone(), member);
    }
}

/// A join that did not lead into a generation.
pub(in crate::coordinator::group) fn join_refused(
    member_id: Str,
    error_code: ErrorCode,
) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id, ..JoinGroupResponse::default() }
}
