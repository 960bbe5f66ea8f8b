//! A group, whichever protocol its members speak, with the offsets that it committed.

use std::collections::BTreeSet;

use milena_protocol::{
    ErrorCode, Timestamp, Uuid,
    messages::{
        HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
        SyncGroupRequest, SyncGroupResponse,
        groups::{describe_groups::DescribedGroup, list_groups::ListedGroup},
    },
    wire::Str,
};

use super::{Joiner, Reply, Subject, classic, consumer, machine::Step, offset::Offsets};
use crate::coordinator::runtime::{Alarm, StateRecord, Ticket};

/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) id: Str,
    pub(super) kind: Kind,
    pub(super) offsets: Offsets,
}

/// Who divides the work: a leader among the members, or the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Classic(Box<classic::Group>),
    Consumer(Box<consumer::Group>),
}

/// Who commits, or reads what was committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) member: Option<&'a str>,
    pub(super) instance: Option<&'a Str>,
    /// The generation, or the member's epoch.
    pub(super) epoch: i32,
    /// The request's version knows that members have epochs.
    pub(super) speaks_epochs: bool,
    pub(super) transactional: bool,
}

impl Reader<'_> {
    fn is_nobody(&self) -> bool {
        self.epoch < 0 && self.member.is_none_or(str::is_empty) && self.instance.is_none()
    }
}

impl Group {
    /// A group of which nothing is known yet: it may be one that only commits.
    pub(super) fn new(id: Str, now: Timestamp) -> Self {
        let kind = Kind::Classic(Box::new(classic::Group::new(id.clone(), now)));
        Self { id, kind, offsets: Offsets::default() }
    }

    /// When the last member of the consumer protocol has gone, the others go on in a classic group.
    pub(super) fn follow_members(&mut self, step: &mut Step<'_>) {
        if let Kind::Consumer(group) = &self.kind
            && group.should_be_classic(step.limits)
        {
            self.kind = Kind::Classic(Box::new(group.to_classic(step)));
        }
    }

    pub(super) fn sync(&mut self, ticket: Ticket, r: &SyncGroupRequest, step: &mut Step<'_>) {
        match &mut self.kind {
            Kind::Classic(group) => group.sync(ticket, r, step),
            Kind::Consumer(group) => {
                let told = group.sync_classic(r, step).unwrap_or_else(|error_code| {
                    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
                });
                step.turn.reply(ticket, Reply::Sync(told));
            }
        }
    }

    pub(super) fn heartbeat(&mut self, r: &HeartbeatRequest, step: &mut Step<'_>) -> ErrorCode {
        match &mut self.kind {
            Kind::Classic(group) => group.heartbeat(r, step),
            Kind::Consumer(group) => group.heartbeat_classic(r, step),
        }
    }

    pub(super) fn leave(
        &mut self,
        r: &LeaveGroupRequest,
        step: &mut Step<'_>,
    ) -> LeaveGroupResponse {
        match &mut self.kind {
            Kind::Classic(group) => group.leave(r, step),
            Kind::Consumer(group) => group.leave_classic(r, step),
        }
    }

    pub(super) fn join(
        &mut self,
        ticket: Ticket,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        step: &mut Step<'_>,
    ) {
        match &mut self.kind {
            Kind::Classic(group) => group.join(ticket, r, joiner, step),
            Kind::Consumer(group) => {
                let told = group.join_classic(r, joiner, step);
                let told = told.unwrap_or_else(|(id, error)| classic::join_refused(id, error));
                step.turn.reply(ticket, Reply::Join(told));
                self.follow_members(step);
            }
        }
    }

    pub(super) fn consumer(&self) -> Option<&consumer::Group> {
        match &self.kind {
            Kind::Classic(_) => None,
            Kind::Consumer(group) => Some(group),
        }
    }

    pub(super) fn consumer_mut(&mut self) -> Option<&mut consumer::Group> {
        match &mut self.kind {
            Kind::Classic(_) => None,
            Kind::Consumer(group) => Some(group),
        }
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.state == classic::State::Empty,
            Kind::Consumer(group) => group.is_empty(),
        }
    }

    /// Whether offsets of these partitions may be committed by this member.
    pub(super) fn check_commit(
        &self,
        who: Reader<'_>,
        partitions: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        let member = who.member.unwrap_or_default();
        match &self.kind {
            Kind::Classic(group) => {
                group.check_commit(member, who.instance, who.epoch, who.transactional)
            }
            // As in a classic group: clients before Kafka 2.5 do not say in a transaction who they are.
            Kind::Consumer(_) if who.transactional && who.is_nobody() => Ok(()),
            Kind::Consumer(group) => {
                group.check_commit(member, who.epoch, who.speaks_epochs, partitions)
            }
        }
    }

    /// Whether offsets may be read by this member.
    pub(super) fn check_fetch(&self, who: Reader<'_>) -> Result<(), ErrorCode> {
        match &self.kind {
            Kind::Classic(_) => Ok(()),
            Kind::Consumer(group) => group.check_fetch(who.member, who.epoch),
        }
    }

    /// A commit shows that a member is alive, too; in a consumer group only heartbeats do.
    pub(super) fn committed(&mut self, member: &Str, step: &mut Step<'_>) {
        match &mut self.kind {
            Kind::Classic(group) => group.committed(member, step),
            Kind::Consumer(_) => {}
        }
    }

    /// Whether its members are consumers, and so topics are what they share.
    pub(super) fn uses_consumer_protocol(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.uses_consumer_protocol(),
            Kind::Consumer(_) => true,
        }
    }

    /// The topics that the members read, if that can be told.
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<Str>> {
        match &self.kind {
            Kind::Classic(group) => group.subscribed_topics(),
            Kind::Consumer(group) => Some(group.subscribed()),
        }
    }

    /// What removes the group from the log, apart from its offsets.
    pub(super) fn tombstones(&self) -> Vec<StateRecord> {
        match &self.kind {
            Kind::Classic(group) => vec![group.tombstone()],
            Kind::Consumer(group) => group.tombstones(),
        }
    }

    /// What DescribeGroups shows: it knows classic groups only.
    pub(super) fn describe(&self) -> Option<DescribedGroup> {
        match &self.kind {
            Kind::Classic(group) => Some(group.describe()),
            Kind::Consumer(_) => None,
        }
    }

    pub(super) fn list(&self) -> ListedGroup {
        match &self.kind {
            Kind::Classic(group) => group.list(),
            Kind::Consumer(group) => group.list(),
        }
    }

    pub(super) fn alarm(&mut self, subject: &Subject) -> Option<&mut Alarm> {
        match &mut self.kind {
            Kind::Classic(group) => group.alarm(subject),
            Kind::Consumer(group) => group.alarm(subject),
        }
    }

    /// An alarm went off.
    pub(super) fn expire(&mut self, subject: &Subject, step: &mut Step<'_>) {
        match &mut self.kind {
            Kind::Classic(group) => group.expire(subject, step),
            Kind::Consumer(group) => {
                group.expire(subject, step);
                self.follow_members(step);
            }
        }
    }

    /// Sessions begin anew after a restart.
    pub(super) fn resume(&mut self, step: &mut Step<'_>) {
        match &mut self.kind {
            Kind::Classic(group) => group.resume(step),
            Kind::Consumer(group) => group.resume(step),
        }
    }
}
