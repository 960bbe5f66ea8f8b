//! The consumer protocol, in which the broker divides the work (KIP-848).
//!
//! A group has three clocks. Its **epoch** goes on whenever what is to be divided or who shares it
//! changes. The **target** is the division that was computed for some epoch. Each **member** has
//! the epoch of the target that it has reached, and gets there on its own: it first gives up what
//! is no longer its, and is then given what others have given up. Nobody waits for everybody.
//!
//! ```text
//!              must give up              has given up
//!   Stable ------------------> Unrevoked -----------+
//!     ^  |                                          |
//!     |  |  what is to come is still another's      v
//!     |  +------------------> Unreleased <-------- (next) ---> Stable
//!     |                           | given up by the other
//!     +---------------------------+
//! ```
//!
//! All of it is in records, so that a restart loses nothing but the alarms, which are set anew.
//! Members may speak the classic protocol: for those the broker plays both leader and members.

mod assign;
mod check;
mod describe;
mod embedded;
mod handover;
mod heartbeat;
mod leave;
mod member;
mod mixed;
mod offsets;
mod reconcile;
mod record;
mod replay;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdMap;
use milena_protocol::{Timestamp, Uuid, wire::Str};

pub use check::Refused;
pub(super) use check::check;
pub(super) use member::{Member, Progress};
pub(super) use replay::replay;

use super::{Subject, assignor::Partitions};
use crate::coordinator::runtime::Alarm;

/// A group with what it has in memory only. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    id: Str,
    epoch: i32,
    /// Of the topics that the epoch was for; see [`subscription`].
    metadata_hash: i64,
    target_epoch: i32,
    assigned_at: Timestamp,
    members: OrdMap<Str, Member>,
    /// What each member is to read once it has caught up.
    targets: OrdMap<Str, Arc<Partitions>>,
    /// The member of each static instance.
    instances: OrdMap<Str, Str>,
    /// Who reads a partition, or has not given it up yet.
    owners: OrdMap<(Uuid, i32), Str>,
    /// How many members subscribe to a topic by its name.
    named: OrdMap<Str, usize>,
    patterns: OrdMap<Str, subscription::Pattern>,
    /// How many members would have an assignor divide the work.
    preferred: OrdMap<Str, usize>,
    /// The version of the topics that hash and patterns are for; not known after a restart.
    looked_at: Option<u64>,
    /// The log has a record of the group as Kafka 4.0 wrote it.
    has_partition_metadata: bool,
    sessions: OrdMap<Str, Alarm>,
    /// By when a member must have given up what is no longer its.
    deadlines: OrdMap<Str, Alarm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    /// The target is not for the epoch yet.
    Assigning,
    /// Not all members have reached the target.
    Reconciling,
    Stable,
}

impl Group {
    pub(super) fn new(id: Str) -> Self {
        Self {
            id,
            epoch: 0,
            metadata_hash: 0,
            target_epoch: 0,
            assigned_at: Timestamp(0),
            members: OrdMap::new(),
            targets: OrdMap::new(),
            instances: OrdMap::new(),
            owners: OrdMap::new(),
            named: OrdMap::new(),
            patterns: OrdMap::new(),
            preferred: OrdMap::new(),
            looked_at: None,
            has_partition_metadata: false,
            sessions: OrdMap::new(),
            deadlines: OrdMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn state(&self) -> State {
        let caught_up = |member: &Member| {
            member.progress == Progress::Stable && member.epoch == self.target_epoch
        };
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.target_epoch {
            State::Assigning
        } else if self.members.values().all(caught_up) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    pub(super) fn alarm(&mut self, subject: &Subject) -> Option<&mut Alarm> {
        match subject {
            Subject::Session { member, .. } => self.sessions.get_mut(member),
            Subject::Deadline { member, .. } => self.deadlines.get_mut(member),
            Subject::Join(_) | Subject::Sync(_) | Subject::Sweep | Subject::Forget(_) => None,
        }
    }

    /// Puts a member in the place of the one with its id, if there is one, and keeps all that is
    /// derived from members right.
    fn put(&mut self, id: &Str, member: Member) {
        self.take_out_of_sums(id);
        if let Some(instance) = &member.about.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        for partition in member.holds() {
            self.owners.insert(partition, id.clone());
        }
        for topic in member.about.topics.iter() {
            *self.named.entry(topic.clone()).or_default() += 1;
        }
        if let Some(assignor) = &member.about.assignor {
            *self.preferred.entry(assignor.clone()).or_default() += 1;
        }
        if !member.about.pattern.is_empty() {
            self.patterns.entry(member.about.pattern.clone()).or_default().members += 1;
        }
        self.members.insert(id.clone(), member);
    }

    fn remove(&mut self, id: &Str) {
        self.take_out_of_sums(id);
        self.members.remove(id);
        self.targets.remove(id);
        self.sessions.remove(id);
        self.deadlines.remove(id);
    }

    fn take_out_of_sums(&mut self, id: &Str) {
        let Some(member) = self.members.get(id).cloned() else { return };
        if let Some(instance) = &member.about.instance {
            // It may have a successor by now.
            if self.instances.get(instance) == Some(id) {
                self.instances.remove(instance);
            }
        }
        for partition in member.holds() {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
        for topic in member.about.topics.iter() {
            one_less(&mut self.named, topic);
        }
        if let Some(assignor) = &member.about.assignor {
            one_less(&mut self.preferred, assignor);
        }
        if let Some(pattern) = self.patterns.get_mut(&member.about.pattern) {
            pattern.members = pattern.members.saturating_sub(1);
        }
    }
}

fn one_less(counts: &mut OrdMap<Str, usize>, name: &Str) {
    match counts.get(name).copied().unwrap_or_default() {
        0 | 1 => _ = counts.remove(name),
        count => _ = counts.insert(name.clone(), count - 1),
    }
}

impl State {
    /// As ConsumerGroupDescribe and ListGroups spell it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}
