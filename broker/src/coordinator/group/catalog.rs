//! What groups know of the rest of the cluster: the topics that there are, and what was set for
//! the groups.

use std::sync::Arc;

use milena_protocol::{Uuid, wire::Str};

use crate::{
    config::{GroupConfig, Settings},
    metadata::{Image, Resource, Topic},
};

/// An image of the metadata, as the groups of this broker see it.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    image: Arc<Image>,
    /// Another number whenever a topic was made, changed or deleted.
    topics_version: u64,
}

impl Catalog {
    #[must_use]
    pub fn new(image: Arc<Image>, topics_version: u64) -> Self {
        Self { image, topics_version }
    }

    /// The catalogue after `image` took the place of the one in this.
    #[must_use]
    pub fn followed_by(&self, before: &Image, image: &Arc<Image>) -> Self {
        let changed = image.topic_changes(before).next().is_some();
        Self::new(Arc::clone(image), self.topics_version + u64::from(changed))
    }

    pub(super) const fn topics_version(&self) -> u64 {
        self.topics_version
    }

    /// Which image it is, for what is derived from it and kept.
    pub(super) fn version(&self) -> i64 {
        self.image.end()
    }

    pub(super) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.image.topic(name)
    }

    pub(super) fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.image.topic_by_id(id)
    }

    pub(super) fn topic_names(&self) -> impl Iterator<Item = &Str> {
        self.image.topics().map(|topic| &topic.name)
    }

    /// The racks of each partition's replicas; none at all if no broker says where it stands.
    pub(super) fn racks(&self, topic: &Topic) -> Vec<Vec<&str>> {
        let rack = |id: &i32| self.image.broker(*id).and_then(|broker| broker.rack.as_deref());
        if self.image.brokers().all(|broker| broker.rack.is_none()) {
            return Vec::new();
        }
        let racks = topic.partitions.iter();
        racks.map(|partition| partition.replicas.iter().filter_map(rack).collect()).collect()
    }

    /// What is in force for a group.
    pub(super) fn settings(&self, group: &str, defaults: &GroupConfig) -> GroupConfig {
        let own: Arc<Settings> = self.image.settings(&Resource::group(group));
        if own.is_empty() { defaults.clone() } else { defaults.with(&own) }
    }
}
