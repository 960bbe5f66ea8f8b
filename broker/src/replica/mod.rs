//! The partitions that this broker holds, and what waits for them.

mod cleaner;
mod dirs;
pub mod fetch;
pub mod fetch_session;
mod follow;
mod mover;
mod partition;
mod schedule;
mod settings;
mod topic;
mod transactions;
mod unsynced;
mod upkeep;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use arc_swap::ArcSwap;
use dashmap::{DashMap, DashSet};
use milena_protocol::{Uuid, wire::Str};
use milena_storage::{
    flush::Syncer,
    manager::{Manager, PartitionName},
};

pub use dirs::{LogDir, LogSize};
pub use fetch_session::TopicRef;
pub use mover::MoveError;
pub use partition::{
    EpochError, FetchKey, Isolation, Partition, PartitionKey, Uncommitted, Waiting,
};
pub use topic::{Missing, Topic};
pub use upkeep::{DeleteRecordsError, Deleted, Deletion};

use crate::{
    clock::{Clock, Rng},
    config::BrokerConfig,
    metadata::Image,
    metrics::{Registry, Sample, Source, names},
    purgatory::{Purgatory, Timers},
};
use cleaner::Cleaner;
use mover::Mover;
use partition::{Shared, Volume};
use transactions::TransactionGauges;
use upkeep::Upkeep;

/// All partitions of this broker, by topic. Follows the metadata: logs are made and deleted as
/// topics are. Thread-safe; a lookup holds no lock once it has returned.
///
/// To be started in this order: [`Replicas::load`], [`Replicas::start`], then subscribed to the
/// metadata.
#[derive(Debug)]
pub struct Replicas {
    node_id: i32,
    config: Arc<ArcSwap<BrokerConfig>>,
    clock: Arc<dyn Clock>,
    /// One for each log directory that could be taken.
    volumes: Vec<Arc<Volume>>,
    /// Log directories that could not be taken.
    failed_dirs: Vec<PathBuf>,
    /// Known before the start, but not opened. They must not be begun anew elsewhere.
    damaged: DashSet<PartitionName>,
    shared: Shared,
    /// Moves between directories that the last run did not finish, and where to.
    interrupted: DashMap<PartitionName, Arc<Volume>>,
    /// The metadata that were followed last.
    followed: Mutex<Option<Arc<Image>>>,
    by_name: DashMap<Str, Arc<Topic>>,
    by_id: DashMap<Uuid, Arc<Topic>>,
    next_key: AtomicU64,
    upkeep: Upkeep,
    rng: Arc<dyn Rng>,
    metrics: Arc<Registry>,
    cleaner: Cleaner,
    transactions: TransactionGauges,
    mover: Mover,
}

/// What replicas work with.
#[derive(Debug)]
pub struct Parts {
    pub node_id: i32,
    pub config: Arc<ArcSwap<BrokerConfig>>,
    pub clock: Arc<dyn Clock>,
    pub timers: Arc<Timers>,
    pub rng: Arc<dyn Rng>,
    pub metrics: Arc<Registry>,
    /// The log directories, opened; at least one.
    pub dirs: Vec<Arc<Manager>>,
    /// Those that could not be.
    pub failed_dirs: Vec<PathBuf>,
}

impl Replicas {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { node_id, config, clock, timers, rng, metrics, dirs, failed_dirs } = parts;
        let (volumes, sync_loops): (Vec<Arc<Volume>>, Vec<_>) = dirs
            .into_iter()
            .map(|dir| {
                let (syncer, sync_loop) = Syncer::new();
                (Arc::new(Volume::new(dir, syncer)), sync_loop)
            })
            .unzip();
        let interrupted = DashMap::new();
        for volume in &volumes {
            for name in volume.dir.interrupted_moves() {
                interrupted.insert(name.clone(), Arc::clone(volume));
            }
        }
        let commits = Arc::new(Waiting::new(Arc::clone(&timers)));
        let fetches = Arc::new(Purgatory::new(Arc::clone(&timers)));
        let upkeep = Upkeep::new(&config.load(), timers.now(), sync_loops);
        Self {
            node_id,
            config,
            clock,
            volumes,
            failed_dirs,
            damaged: DashSet::new(),
            shared: Shared { timers, commits, fetches },
            interrupted,
            followed: Mutex::default(),
            by_name: DashMap::new(),
            by_id: DashMap::new(),
            next_key: AtomicU64::new(0),
            upkeep,
            rng,
            cleaner: Cleaner::new(&metrics),
            transactions: TransactionGauges::new(&metrics),
            mover: Mover::default(),
            metrics,
        }
    }

    /// Has every fetch answered that waits for records, now and from now on: the broker stops.
    pub fn end_fetches(&self) {
        self.shared.fetches.close();
    }

    #[must_use]
    pub fn topic_named(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).map(|topic| Arc::clone(&topic))
    }

    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.by_id.get(&id).map(|topic| Arc::clone(&topic))
    }

    /// # Errors
    /// What there is none of.
    pub fn topic(&self, topic: &TopicRef) -> Result<Arc<Topic>, Missing> {
        match topic {
            TopicRef::Name(name) => self.topic_named(name).ok_or(Missing::Topic),
            TopicRef::Id(id) => self.topic_by_id(*id).ok_or(Missing::TopicId),
        }
    }

    /// Every partition that can be served, in no order.
    #[must_use]
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.by_id.iter().flat_map(|topic| topic.partitions()).collect()
    }
}

/// What each topic's clients were told is written, but is not synced yet.
impl Source for Replicas {
    fn sample(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for topic in self.by_id.iter().map(|entry| Arc::clone(&entry)) {
            let (mut bytes, mut age) = (0_u64, Duration::ZERO);
            for partition in topic.partitions() {
                let (more, since) = partition.at_risk();
                (bytes, age) = (bytes.saturating_add(more), age.max(since));
            }
            let sample = |name, value| Sample { name, label: topic.name.clone(), value };
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            samples.push(sample(&names::UNSYNCED_BYTES, bytes));
            samples.push(sample(&names::UNSYNCED_MS, age_ms));
        }
        samples
    }
}

#[cfg(test)]
mod tests;
