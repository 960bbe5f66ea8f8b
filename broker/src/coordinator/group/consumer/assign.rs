//! The target: who is to read what, computed for an epoch of the group.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_protocol::{Uuid, wire::Str};
use tracing::info;

use super::Group;
use crate::coordinator::group::{
    Catalog, Limits,
    assignor::{self, Assignor, Partitions},
    machine::Step,
};

impl Group {
    /// Computes a target if there is none for this epoch yet. While members come and go by the
    /// dozen that is done but once in a while; until then the target stays what it was.
    pub(super) fn assign_if_due(&mut self, step: &mut Step<'_>) {
        if self.epoch <= self.target_epoch {
            return;
        }
        let settings = step.catalog.settings(&self.id, &step.limits.consumer.defaults);
        let since = step.turn.now.wall.0.saturating_sub(self.assigned_at.0);
        let is_soon = (0..i64::from(settings.assignment_interval_ms)).contains(&since);
        if self.members.len() > 1 && is_soon {
            return;
        }
        self.assign(step);
    }

    /// Computes a target if there is none for this epoch yet, however soon after the last one.
    pub(super) fn assign_if_needed(&mut self, step: &mut Step<'_>) {
        if self.epoch > self.target_epoch {
            self.assign(step);
        }
    }

    /// What most members prefer, if any of them has a preference.
    pub(super) fn assignor(&self, limits: &Limits) -> Assignor {
        let preferred = self.preferred.iter().max_by_key(|&(_, count)| count);
        let preferred = preferred.and_then(|(name, _)| Assignor::parse(name));
        let default = limits.consumer.assignors.first().copied();
        preferred.or(default).unwrap_or(Assignor::Uniform)
    }

    fn assign(&mut self, step: &mut Step<'_>) {
        let assignor = self.assignor(step.limits);
        let changed = self.divide(assignor, step.catalog);
        info!(
            group = %self.id, epoch = self.epoch, assignor = assignor.name(),
            members = self.members.len(), changed = changed.len(), "assigned partitions anew"
        );
        for (id, target) in changed {
            self.write_target(&id, Arc::new(target), step);
        }
        self.write_target_epoch(step);
    }

    /// The targets that are not what they were.
    fn divide(&self, assignor: Assignor, catalog: &Catalog) -> Vec<(Str, Partitions)> {
        let mut spec = assignor::Spec::default();
        for topic in self.subscribed().into_iter().filter_map(|name| catalog.topic(&name).cloned())
        {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let racks = catalog.racks(&topic);
            spec.topics.insert(topic.id, assignor::Topic { partitions, racks });
        }
        let subscriptions = self.subscriptions(catalog);
        let (nothing, none) = (Partitions::new(), BTreeSet::new());
        for (id, member) in &self.members {
            let about = &member.about;
            let wanted = subscriptions.get(&(about.topics.as_ref(), &about.pattern));
            spec.members.insert(
                id,
                assignor::Member {
                    instance_id: about.instance.as_deref(),
                    rack: about.rack.as_deref(),
                    subscribed: wanted.unwrap_or(&none),
                    assigned: self.targets.get(id).map_or(&nothing, |target| target),
                },
            );
        }
        let target_of = |id: &str| self.targets.get(id).map_or(&nothing, |target| target);
        assignor::assign(assignor, &spec)
            .into_iter()
            .map(|(id, partitions)| (id, without_empty(partitions)))
            .filter(|(id, partitions)| {
                partitions != target_of(id) || !self.targets.contains_key(*id)
            })
            .map(|(id, partitions)| (Str::from(id), partitions))
            .collect()
    }

    /// The ids of the topics that there are, once for all members who want the same.
    fn subscriptions<'a>(
        &'a self,
        catalog: &Catalog,
    ) -> BTreeMap<(&'a BTreeSet<Str>, &'a Str), BTreeSet<Uuid>> {
        let mut sets = BTreeMap::new();
        for member in self.members.values() {
            let about = &member.about;
            sets.entry((about.topics.as_ref(), &about.pattern))
                .or_insert_with(|| self.subscribed_ids(about, catalog));
        }
        sets
    }
}

fn without_empty(mut partitions: Partitions) -> Partitions {
    partitions.retain(|_, indexes| !indexes.is_empty());
    partitions
}
