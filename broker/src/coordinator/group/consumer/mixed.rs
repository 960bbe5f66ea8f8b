//! Members of a consumer group that speak the classic protocol. To them the broker is the leader:
//! a join tells what they want and own, a sync what is theirs, a heartbeat when to join again.

use std::sync::Arc;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
        LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
        groups::{
            consumer_group_heartbeat::TopicPartitions,
            join_group::JoinGroupRequestProtocol,
            leave_group::{MemberIdentity, MemberResponse},
        },
    },
    wire::Str,
};

use super::{
    Group, embedded,
    member::{About, Classic, Member, Progress, without_epochs},
    reconcile::Told,
};
use crate::coordinator::group::{Joiner, machine::Step};

impl Group {
    /// # Errors
    /// As a classic group would tell it.
    pub(in crate::coordinator::group) fn join_classic(
        &mut self,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) -> Result<JoinGroupResponse, (Str, ErrorCode)> {
        let is_new = r.member_id.is_empty();
        let id = match is_new {
            true => joiner.plain_id.clone(),
            false => r.member_id.detached(),
        };
        if !self.has_room_for(&id, r.group_instance_id.as_ref(), step) {
            return Err((Str::default(), ErrorCode::GroupMaxSizeReached));
        }
        let inconsistent = || (Str::default(), ErrorCode::InconsistentGroupProtocol);
        if !self.understands(r) {
            return Err(inconsistent());
        }
        if is_new && r.group_instance_id.is_none() && joiner.joins_twice {
            return Err((id, ErrorCode::MemberIdRequired));
        }
        let metadata = r.protocols.first().map(|offered| &offered.metadata);
        let subscription = metadata.and_then(|it| embedded::subscription(it, step.catalog));
        let subscription = subscription.ok_or_else(inconsistent)?;
        let before = self.member_joining(&id, r, step).map_err(|error| (id.clone(), error))?;
        let about = About {
            instance: r.group_instance_id.as_ref().map(Str::detached),
            rack: subscription.rack.or_else(|| before.about.rack.clone()),
            client_id: joiner.client_id.detached(),
            client_host: joiner.client_host.clone(),
            topics: Arc::new(subscription.topics),
            pattern: Str::default(),
            assignor: before.about.assignor.clone(),
            rebalance_timeout_ms: rebalance_timeout_ms(r),
            classic: Some(Arc::new(classic_of(r))),
        };
        let preferred = self.assignor(step.limits);
        let subscribes_anew = self.take_in(&id, &before, about, step);
        let changed = subscribes_anew || self.assignor(step.limits) != preferred;
        self.follow_topics(changed, step);
        // It could not sync in an epoch that is over: there is no waiting here.
        self.assign_if_needed(step);
        let owned: Vec<TopicPartitions> = subscription
            .owned
            .into_iter()
            .map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions })
            .collect();
        let told = Told { owned: Some(&owned), subscribes_anew };
        let member = self.reconcile(&id, told, step);
        self.rearm(&id, step);
        self.deadlines.remove(&id);
        self.set_deadline(&id, member.about.rebalance_timeout_ms, step);
        Ok(JoinGroupResponse {
            generation_id: member.epoch,
            protocol_type: Some(Str::from_static(CONSUMER)),
            protocol_name: protocol_of(&member),
            member_id: id,
            ..JoinGroupResponse::default()
        })
    }

    /// # Errors
    /// As a classic group would tell it.
    pub(in crate::coordinator::group) fn sync_classic(
        &mut self,
        r: &SyncGroupRequest,
        step: &mut Step<'_>,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let id = &r.member_id;
        let member =
            self.classic_member(id, r.group_instance_id.as_ref(), r.generation_id)?.clone();
        let other_type = r.protocol_type.as_ref().is_some_and(|it| *it != CONSUMER);
        let other_name = r.protocol_name.is_some() && r.protocol_name != protocol_of(&member);
        if other_type || other_name {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        // One that has to give something up has joined already, and will again.
        if self.epoch > member.epoch && member.progress != Progress::Unrevoked {
            self.expect_join(id, &member, step);
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.deadlines.remove(id);
        self.rearm(id, step);
        let assigned = without_epochs(&member.assigned);
        let classic = member.about.classic.as_deref();
        let metadata = classic.and_then(|classic| classic.protocols.first()).map(|(_, it)| it);
        Ok(SyncGroupResponse {
            protocol_type: r.protocol_type.clone(),
            protocol_name: r.protocol_name.clone(),
            assignment: embedded::encode_assignment(&assigned, metadata, step.catalog),
            ..SyncGroupResponse::default()
        })
    }

    /// What to tell a member that is alive: to join again if that would bring it further.
    pub(in crate::coordinator::group) fn heartbeat_classic(
        &mut self,
        r: &HeartbeatRequest,
        step: &mut Step<'_>,
    ) -> ErrorCode {
        let id = &r.member_id;
        let instance = r.group_instance_id.as_ref();
        let member = match self.classic_member(id, instance, r.generation_id) {
            Ok(member) => member.clone(),
            Err(error) => return error,
        };
        self.rearm(id, step);
        let is_done = match member.progress {
            Progress::Stable => true,
            Progress::Unrevoked => false,
            Progress::Unreleased => self.waits_for_others(id, &member),
        };
        if self.epoch <= member.epoch && is_done {
            return ErrorCode::None;
        }
        self.expect_join(id, &member, step);
        ErrorCode::RebalanceInProgress
    }

    pub(in crate::coordinator::group) fn leave_classic(
        &mut self,
        r: &LeaveGroupRequest,
        step: &mut Step<'_>,
    ) -> LeaveGroupResponse {
        let mut gone = Vec::new();
        let mut members = Vec::with_capacity(r.members.len());
        for leaver in &r.members {
            let found = self.leaver(leaver);
            members.push(MemberResponse {
                member_id: leaver.member_id.clone(),
                group_instance_id: leaver.group_instance_id.clone(),
                error_code: found.as_ref().err().copied().unwrap_or_default(),
            });
            gone.extend(found);
        }
        if !gone.is_empty() {
            self.dismiss(gone, step);
        }
        LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
    }

    /// Whether all members of the classic protocol know a protocol that this one offers.
    fn understands(&self, r: &JoinGroupRequest) -> bool {
        let knows = |name: &Str| {
            self.members
                .values()
                .filter_map(|member| member.about.classic.as_deref())
                .all(|classic| classic.protocols.iter().any(|(known, _)| known == name))
        };
        r.protocol_type == CONSUMER && r.protocols.iter().any(|offered| knows(&offered.name))
    }

    /// The member that joins, as it was before; a blank one if it is new. A static member takes
    /// the place of the one with its name, whichever protocol that spoke.
    fn member_joining(
        &mut self,
        id: &Str,
        r: &JoinGroupRequest,
        step: &mut Step<'_>,
    ) -> Result<Member, ErrorCode> {
        let Some(instance) = &r.group_instance_id else {
            return Ok(self.members.get(id).cloned().unwrap_or_default());
        };
        if !r.member_id.is_empty() {
            let member = self.static_member(instance, id).map_err(|refused| refused.code)?;
            return Ok(member.clone());
        }
        match self.instances.get(instance).cloned() {
            Some(old) => {
                let member = self.members.get(&old).cloned().unwrap_or_default();
                Ok(self.succeed(&old, id, member, step))
            }
            None => Ok(Member::default()),
        }
    }

    fn classic_member(
        &self,
        id: &Str,
        instance: Option<&Str>,
        generation: i32,
    ) -> Result<&Member, ErrorCode> {
        let member = match instance {
            Some(instance) => self.static_member(instance, id).map_err(|refused| refused.code)?,
            None => self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?,
        };
        match member.about.classic {
            None => Err(ErrorCode::UnknownMemberId),
            Some(_) if member.epoch != generation => Err(ErrorCode::IllegalGeneration),
            Some(_) => Ok(member),
        }
    }

    /// The member that a request names by its id or, from an administrator, by its instance.
    fn leaver(&self, leaver: &MemberIdentity) -> Result<Str, ErrorCode> {
        let id = match &leaver.group_instance_id {
            Some(instance) => self.instances.get(instance),
            None => Some(&leaver.member_id),
        };
        let id = id.ok_or(ErrorCode::UnknownMemberId)?;
        if !leaver.member_id.is_empty() && leaver.member_id != *id {
            return Err(ErrorCode::FencedInstanceId);
        }
        // An administrator may remove members of either protocol.
        match self.members.contains_key(id) {
            true => Ok(id.detached()),
            false => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// It was told to join again, and has its rebalance time-out for that.
    fn expect_join(&mut self, id: &Str, member: &Member, step: &mut Step<'_>) {
        if !self.deadlines.contains_key(id) {
            self.set_deadline(&id.detached(), member.about.rebalance_timeout_ms, step);
        }
    }
}

fn classic_of(r: &JoinGroupRequest) -> Classic {
    let copy = |offered: &JoinGroupRequestProtocol| {
        (offered.name.detached(), Bytes::copy_from_slice(&offered.metadata))
    };
    Classic {
        session_timeout_ms: r.session_timeout_ms,
        protocols: r.protocols.iter().map(copy).collect(),
    }
}

fn protocol_of(member: &Member) -> Option<Str> {
    let classic = member.about.classic.as_deref()?;
    classic.protocols.first().map(|(name, _)| name.clone())
}

/// Version 0 knows but one time-out.
fn rebalance_timeout_ms(r: &JoinGroupRequest) -> i32 {
    if r.rebalance_timeout_ms < 0 { r.session_timeout_ms } else { r.rebalance_timeout_ms }
}

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";
