//! How a member gets from what it has to what it is to have, one step for each heartbeat.

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::{
    Uuid, messages::groups::consumer_group_heartbeat::TopicPartitions, wire::Str,
};
use tracing::debug;

use super::{
    Group,
    member::{About, Held, Member, Progress, flat},
};
use crate::coordinator::group::{Catalog, Subject, assignor::Partitions, machine::Step};

/// What a member tells of itself that its next step hangs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    /// What it reads, if it says so.
    pub(super) owned: Option<&'a [TopicPartitions]>,
    /// It subscribes to other topics than it did.
    pub(super) subscribes_anew: bool,
}

impl Group {
    /// Brings a member nearer to its target, if it can be; how it stands now.
    pub(super) fn reconcile(&mut self, id: &Str, told: Told<'_>, step: &mut Step<'_>) -> Member {
        let before = self.members.get(id).cloned().unwrap_or_default();
        let after = self.next_step(id, &before, told, step.catalog);
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
        let is_missing = |&(topic, index): &(Uuid, i32)| {
            member.assigned.get(&topic).is_none_or(|indexes| !indexes.contains_key(&index))
        };
        let target = self.targets.get(id);
        target.is_some_and(|target| {
            one_by_one(target).filter(is_missing).any(|one| self.is_others(id, one))
        })
    }

    fn next_step(&self, id: &Str, member: &Member, told: Told<'_>, catalog: &Catalog) -> Member {
        let stays = match member.progress {
            Progress::Stable => member.epoch == self.target_epoch,
            Progress::Unrevoked => still_owns(&member.revoking, told.owned),
            Progress::Unreleased => false,
        };
        match (stays, told.subscribes_anew) {
            (true, false) => member.clone(),
            (true, true) => self.without_unsubscribed(member, told.owned, catalog),
            (false, _) => self.towards_target(id, member, told.owned, catalog),
        }
    }

    /// What is to go goes first; only then does anything new come, as far as it is free.
    fn towards_target(
        &self,
        id: &Str,
        member: &Member,
        owned: Option<&[TopicPartitions]>,
        catalog: &Catalog,
    ) -> Member {
        let nothing = Arc::default();
        let target = self.targets.get(id).unwrap_or(&nothing);
        // The target may be for a subscription that the member has given up since.
        let subscribed = self.subscribed_ids(&member.about, catalog);
        let target = || one_by_one(target).filter(|(topic, _)| subscribed.contains(topic));
        let wanted: BTreeSet<(Uuid, i32)> = target().collect();
        let (kept, gone) = split(&member.assigned, |topic, index| wanted.contains(&(topic, index)));
        if !gone.is_empty() && still_owns(&gone, owned) {
            return after(member, member.epoch, Progress::Unrevoked, kept, gone);
        }
        let is_new = |(topic, index): &(Uuid, i32)| {
            kept.get(topic).is_none_or(|indexes| !indexes.contains_key(index))
        };
        let (others, free): (Vec<_>, Vec<_>) =
            target().filter(is_new).partition(|&one| self.is_others(id, one));
        let mut assigned = kept;
        for (topic, index) in free {
            assigned.entry(topic).or_default().insert(index, self.target_epoch);
        }
        let progress = if others.is_empty() { Progress::Stable } else { Progress::Unreleased };
        after(member, self.target_epoch, progress, assigned, Held::new())
    }

    /// What a member does not subscribe to any more goes at once; the next target may be far off.
    fn without_unsubscribed(
        &self,
        member: &Member,
        owned: Option<&[TopicPartitions]>,
        catalog: &Catalog,
    ) -> Member {
        let subscribed = self.subscribed_ids(&member.about, catalog);
        let (kept, gone) = split(&member.assigned, |topic, _| subscribed.contains(&topic));
        let is_idle = subscribed.is_empty() && member.revoking.is_empty();
        if gone.is_empty() && !is_idle {
            return member.clone();
        }
        let mut revoking = Held::clone(&member.revoking);
        for (topic, indexes) in gone {
            revoking.entry(topic).or_default().extend(indexes);
        }
        if !revoking.is_empty() && still_owns(&revoking, owned) {
            return after(member, member.epoch, Progress::Unrevoked, kept, revoking);
        }
        let known = Held::clone(&member.revoking);
        after(member, member.epoch, member.progress, kept, known)
    }

    /// The topics that there are of those that a member wants.
    pub(super) fn subscribed_ids(&self, about: &About, catalog: &Catalog) -> BTreeSet<Uuid> {
        self.wanted_topics(about).filter_map(|name| catalog.topic(name)).map(|one| one.id).collect()
    }

    fn is_others(&self, id: &Str, partition: (Uuid, i32)) -> bool {
        self.owners.get(&partition).is_some_and(|owner| owner != id)
    }
}

fn after(
    member: &Member,
    epoch: i32,
    progress: Progress,
    assigned: Held,
    revoking: Held,
) -> Member {
    Member {
        about: Arc::clone(&member.about),
        epoch,
        previous_epoch: member.epoch,
        progress,
        assigned: Arc::new(assigned),
        revoking: Arc::new(revoking),
    }
}

/// Whoever does not say what it owns is taken to own it still.
fn still_owns(revoking: &Held, owned: Option<&[TopicPartitions]>) -> bool {
    owned.is_none_or(|owned| {
        owned.iter().any(|topic| {
            let revoking = revoking.get(&topic.topic_id);
            revoking.is_some_and(|revoking| {
                topic.partitions.iter().any(|index| revoking.contains_key(index))
            })
        })
    })
}

fn one_by_one(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(&topic, indexes)| indexes.iter().map(move |&index| (topic, index)))
}

/// What is to be kept, and the rest.
fn split(held: &Held, is_kept: impl Fn(Uuid, i32) -> bool) -> (Held, Held) {
    let (mut kept, mut gone) = (Held::new(), Held::new());
    for (topic, index, epoch) in flat(held) {
        let part = if is_kept(topic, index) { &mut kept } else { &mut gone };
        part.entry(topic).or_default().insert(index, epoch);
    }
    (kept, gone)
}
