//! How a member gets from what it has to what it is to have, one step for each heartbeat.

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::{
    Uuid, messages::groups::consumer_group_heartbeat::TopicPartitions, wire::Str,
};
use tracing::debug;

use super::{
    Group,
    member::{Member, Progress, flat},
};
use crate::coordinator::group::{Subject, assignor::Partitions, machine::Step};

impl Group {
    /// Brings a member nearer to its target, if it can be; how it stands now. `owned` is what it
    /// says that it reads, if it says so.
    pub(super) fn reconcile(
        &mut self,
        id: &Str,
        owned: Option<&[TopicPartitions]>,
        step: &mut Step<'_>,
    ) -> Member {
        let before = self.members.get(id).cloned().unwrap_or_default();
        let after = self.next_step(id, &before, owned);
        if after == before {
            return before;
        }
        debug!(
            group = %self.id, member = %id, epoch = after.epoch, progress = ?after.progress,
            "a member's assignment goes on"
        );
        self.write_current(id, after.clone(), step);
        if after.progress == Progress::Unrevoked && after.about.classic.is_none() {
            self.set_deadline(id, after.about.rebalance_timeout_ms, step);
        } else if after.about.classic.is_none() {
            self.deadlines.remove(id);
        }
        after
    }

    pub(super) fn set_deadline(&mut self, id: &Str, after_ms: i32, step: &mut Step<'_>) {
        let deadline = self.deadlines.entry(id.clone()).or_default();
        let subject = || Subject::Deadline { group: self.id.clone(), member: id.clone() };
        step.set(deadline, after_ms, subject);
    }

    /// Whether something that the member is to have is still another's.
    pub(super) fn waits_for_others(&self, id: &Str, member: &Member) -> bool {
        let target = self.targets.get(id);
        target.is_some_and(|target| {
            flat(target).any(|one| !has(&member.assigned, one) && self.is_others(id, one))
        })
    }

    fn next_step(&self, id: &Str, member: &Member, owned: Option<&[TopicPartitions]>) -> Member {
        let epoch = match member.progress {
            Progress::Stable if member.epoch == self.target_epoch => return member.clone(),
            Progress::Stable | Progress::Unreleased => member.epoch,
            Progress::Unrevoked if still_owns(&member.revoking, owned) => return member.clone(),
            // It has done what this epoch asked of it.
            Progress::Unrevoked => member.epoch + 1,
        };
        self.towards_target(id, member, epoch, owned)
    }

    /// What is to go goes first; only then does anything new come, as far as it is free.
    fn towards_target(
        &self,
        id: &Str,
        member: &Member,
        epoch: i32,
        owned: Option<&[TopicPartitions]>,
    ) -> Member {
        let nothing = Arc::default();
        let target = self.targets.get(id).unwrap_or(&nothing);
        let (kept, gone): (Vec<_>, Vec<_>) =
            flat(&member.assigned).partition(|&one| has(target, one));
        let (kept, gone) = (collect(kept), collect(gone));
        let next = |epoch, progress, assigned: Partitions, revoking| Member {
            about: Arc::clone(&member.about),
            previous_epoch: if epoch == member.epoch {
                member.previous_epoch
            } else {
                member.epoch
            },
            epoch,
            progress,
            assigned: Arc::new(assigned),
            revoking: Arc::new(revoking),
        };
        if !gone.is_empty() && still_owns(&gone, owned) {
            return next(epoch, Progress::Unrevoked, kept, gone);
        }
        let (others, free): (Vec<_>, Vec<_>) =
            flat(target).filter(|&one| !has(&kept, one)).partition(|&one| self.is_others(id, one));
        let mut assigned = kept;
        for (topic, index) in free {
            assigned.entry(topic).or_default().insert(index);
        }
        let progress = if others.is_empty() { Progress::Stable } else { Progress::Unreleased };
        next(self.target_epoch, progress, assigned, Partitions::new())
    }

    fn is_others(&self, id: &Str, partition: (Uuid, i32)) -> bool {
        self.owners.get(&partition).is_some_and(|owner| owner != id)
    }
}

/// Whoever does not say what it owns is taken to own it still.
fn still_owns(revoking: &Partitions, owned: Option<&[TopicPartitions]>) -> bool {
    owned.is_none_or(|owned| {
        owned.iter().any(|topic| {
            topic.partitions.iter().any(|&index| has(revoking, (topic.topic_id, index)))
        })
    })
}

fn has(partitions: &Partitions, (topic, index): (Uuid, i32)) -> bool {
    partitions.get(&topic).is_some_and(|indexes: &BTreeSet<i32>| indexes.contains(&index))
}

fn collect(partitions: Vec<(Uuid, i32)>) -> Partitions {
    let mut collected = Partitions::new();
    for (topic, index) in partitions {
        collected.entry(topic).or_default().insert(index);
    }
    collected
}
