//! Which topics a group reads, by name or by pattern, and whether they are still what they were
//! when they were last divided.

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::wire::Str;
use tracing::info;

use super::{Group, member::About};
use crate::coordinator::group::{Catalog, machine::Step, regex};

/// A regular expression that members subscribe by, and what it matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) members: usize,
    pub(super) topics: Arc<BTreeSet<Str>>,
}

impl Group {
    /// The topics that a member wants, whether they exist or not.
    pub(super) fn wanted_topics<'a>(&'a self, about: &'a About) -> impl Iterator<Item = &'a Str> {
        let matched = self.patterns.get(&about.pattern);
        let matched = matched.into_iter().flat_map(|pattern| pattern.topics.iter());
        about.topics.iter().chain(matched)
    }

    /// All topics that members want, whether they exist or not.
    pub(in crate::coordinator::group) fn subscribed(&self) -> BTreeSet<Str> {
        let matched = self.patterns.values().flat_map(|pattern| pattern.topics.iter());
        self.named.keys().chain(matched).cloned().collect()
    }

    /// Begins a new epoch if `changed`, or if the topics are not what they were in this one.
    pub(super) fn follow_topics(&mut self, changed: bool, step: &mut Step<'_>) {
        let version = step.catalog.topics_version();
        if self.looked_at != Some(version) {
            for pattern in self.patterns.keys().cloned().collect::<Vec<_>>() {
                self.resolve(&pattern, step);
            }
        } else if !changed && self.epoch >= FIRST_EPOCH {
            return;
        }
        self.looked_at = Some(version);
        let hash = self.hash_topics(step.catalog);
        let is_new = self.epoch < FIRST_EPOCH;
        let is_other = changed || hash != self.metadata_hash;
        if is_new || is_other {
            self.metadata_hash = hash;
            self.epoch = self.epoch.max(FIRST_EPOCH) + i32::from(is_other);
            info!(group = %self.id, epoch = self.epoch, "a new epoch of a consumer group");
            self.write_epoch(step);
        }
    }

    /// Looks up what a pattern matches now.
    pub(super) fn resolve(&mut self, pattern: &Str, step: &mut Step<'_>) {
        if pattern.is_empty() {
            return;
        }
        // It was checked when it came; one that another release let through matches nothing.
        let Ok(compiled) = regex::Pattern::compile(pattern) else { return };
        let topics: BTreeSet<Str> =
            step.catalog.topic_names().filter(|name| compiled.matches(name)).cloned().collect();
        if self.patterns.get(pattern).is_some_and(|known| *known.topics == topics) {
            return;
        }
        self.write_pattern(pattern, topics, step);
    }

    /// Drops a pattern that nobody subscribes by any more.
    pub(super) fn forget_unused(&mut self, pattern: &Str, step: &mut Step<'_>) {
        if self.patterns.get(pattern).is_some_and(|known| known.members == 0) {
            self.write_pattern_removal(pattern, step);
        }
    }

    /// A number that is another one, in all likelihood, if a topic appears, goes, or gets
    /// partitions or racks. It is kept in the group's record; 0 stands for no topics.
    fn hash_topics(&self, catalog: &Catalog) -> i64 {
        let mut hash = Fnv::default();
        let mut any = false;
        for topic in self.subscribed().iter().filter_map(|name| catalog.topic(name)) {
            any = true;
            hash.add(&topic.id.0);
            hash.add(topic.name.as_bytes());
            hash.add(&topic.partitions.len().to_be_bytes());
            for (index, racks) in catalog.racks(topic).into_iter().enumerate() {
                hash.add(&index.to_be_bytes());
                for rack in racks.into_iter().collect::<BTreeSet<_>>() {
                    hash.add(rack.as_bytes());
                }
            }
        }
        if any { hash.0.cast_signed() } else { 0 }
    }
}

/// FNV-1a, of 64 bits: it says the same in every release.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a field; where one ends and the next begins counts.
    fn add(&mut self, field: &[u8]) {
        for &byte in field.iter().chain(&field.len().to_be_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The epoch of a group whose members have not subscribed to anything.
const FIRST_EPOCH: i32 = 1;
