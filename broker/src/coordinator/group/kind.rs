//! A group, whichever protocol its members speak, with the offsets that it committed.

use std::collections::BTreeSet;

use milena_protocol::{
    ErrorCode, Timestamp,
    messages::groups::{describe_groups::DescribedGroup, list_groups::ListedGroup},
    wire::Str,
};

use super::{Subject, classic, machine::Step, offset::Offsets};
use crate::coordinator::runtime::{Alarm, StateRecord};

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
    Classic(classic::Group),
}

impl Group {
    /// A group of which nothing is known yet: it may be one that only commits.
    pub(super) fn new(id: Str, now: Timestamp) -> Self {
        let kind = Kind::Classic(classic::Group::new(id.clone(), now));
        Self { id, kind, offsets: Offsets::default() }
    }

    pub(super) fn classic_mut(&mut self) -> Option<&mut classic::Group> {
        let Kind::Classic(group) = &mut self.kind;
        Some(group)
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        let Kind::Classic(group) = &self.kind;
        group.state == classic::State::Empty
    }

    /// Whether offsets may be committed by this member in this generation.
    pub(super) fn check_commit(
        &self,
        member: &str,
        instance: Option<&Str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        let Kind::Classic(group) = &self.kind;
        group.check_commit(member, instance, generation, transactional)
    }

    /// A commit shows that a member is alive, too.
    pub(super) fn committed(&mut self, member: &Str, step: &mut Step<'_>) {
        let Kind::Classic(group) = &mut self.kind;
        group.committed(member, step);
    }

    /// Whether its members are consumers, and so topics are what they share.
    pub(super) fn uses_consumer_protocol(&self) -> bool {
        let Kind::Classic(group) = &self.kind;
        group.uses_consumer_protocol()
    }

    /// The topics that the members read, if that can be told.
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<Str>> {
        let Kind::Classic(group) = &self.kind;
        group.subscribed_topics()
    }

    /// What removes the group from the log, apart from its offsets.
    pub(super) fn tombstones(&self) -> Vec<StateRecord> {
        let Kind::Classic(group) = &self.kind;
        vec![group.tombstone()]
    }

    pub(super) fn describe(&self) -> DescribedGroup {
        let Kind::Classic(group) = &self.kind;
        group.describe()
    }

    pub(super) fn list(&self) -> ListedGroup {
        let Kind::Classic(group) = &self.kind;
        group.list()
    }

    pub(super) fn alarm(&mut self, subject: &Subject) -> Option<&mut Alarm> {
        let Kind::Classic(group) = &mut self.kind;
        group.alarm(subject)
    }

    /// An alarm went off.
    pub(super) fn expire(&mut self, subject: &Subject, step: &mut Step<'_>) {
        let Kind::Classic(group) = &mut self.kind;
        group.expire(subject, step);
    }

    /// Sessions begin anew after a restart.
    pub(super) fn resume(&mut self, step: &mut Step<'_>) {
        let Kind::Classic(group) = &mut self.kind;
        group.resume(step);
    }
}
