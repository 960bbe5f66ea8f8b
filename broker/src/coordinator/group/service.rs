//! The groups of this broker: one shard for each partition of `__consumer_offsets`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use milena_protocol::{Uuid, wire::Str};
use tracing::warn;

use super::{Groups, Limits, Reply, Request, placement::partition_of};
use crate::{
    coordinator::runtime::{PartitionLog, Settings, Shard, Surroundings, Unavailable},
    metadata::{Follow, Image, TopicChange},
};

/// Where groups keep their state.
pub const TOPIC: &str = "__consumer_offsets";

/// Finds the partitions that this broker leads. To be implemented by whoever holds them.
pub trait Logs: Send + Sync + fmt::Debug {
    fn open(&self, topic: &str, partition: i32) -> Option<Arc<dyn PartitionLog>>;
}

/// Thread-safe. It follows the metadata, after whatever makes the logs: shards start when the
/// topic is there and end when it is deleted.
#[derive(Debug)]
pub struct GroupCoordinator {
    limits: Arc<Limits>,
    commit_timeout: Duration,
    logs: Arc<dyn Logs>,
    around: Surroundings,
    /// By partition; `None` where this broker does not lead it.
    shards: ArcSwap<Vec<Option<Arc<Shard<Groups>>>>>,
    /// Held while shards are started or ended.
    changing: Mutex<()>,
}

impl GroupCoordinator {
    #[must_use]
    pub fn new(
        limits: Limits,
        commit_timeout: Duration,
        logs: Arc<dyn Logs>,
        around: Surroundings,
    ) -> Self {
        let shards = ArcSwap::default();
        let limits = Arc::new(limits);
        Self { limits, commit_timeout, logs, around, shards, changing: Mutex::new(()) }
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks the shard of `group`. The request is in the shard's queue before this returns.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask(
        &self,
        group: &str,
        request: Request,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + use<> {
        let shards = self.shards.load();
        let partition = partition_of(group, i32::try_from(shards.len()).unwrap_or(i32::MAX));
        let shard = usize::try_from(partition).ok().and_then(|at| shards.get(at));
        let asked = shard.and_then(Option::as_ref).map(|shard| shard.ask(request));
        async move {
            match asked {
                Some(asked) => asked.await,
                None => Err(Unavailable::NotHere),
            }
        }
    }

    /// Asks every shard that this broker has. One whose log has failed has nothing to say.
    ///
    /// # Errors
    /// The first of another kind.
    pub async fn ask_all(&self, request: &Request) -> Result<Vec<Reply>, Unavailable> {
        let shards = self.shards.load_full();
        let asked: Vec<_> =
            shards.iter().flatten().map(|shard| shard.ask(request.clone())).collect();
        let mut replies = Vec::with_capacity(asked.len());
        for asked in asked {
            match asked.await {
                Err(Unavailable::NotHere) => {}
                answer => replies.push(answer?),
            }
        }
        Ok(replies)
    }

    /// Ends all shards. Members that wait for others are told to look for a coordinator again.
    pub fn stop(&self) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.shards.store(Arc::default());
    }

    fn start(&self, partitions: usize) {
        let known = self.shards.load_full();
        let start = |index: usize| {
            if let Some(Some(shard)) = known.get(index) {
                return Some(Arc::clone(shard));
            }
            let log = self.logs.open(TOPIC, i32::try_from(index).ok()?)?;
            let name = format!("{TOPIC}-{index}");
            let settings = Settings { name, commit_timeout: self.commit_timeout };
            let machine = Groups::new(Arc::clone(&self.limits));
            Some(Arc::new(Shard::start(machine, log, settings, self.around.clone())))
        };
        self.shards.store(Arc::new((0..partitions).map(start).collect()));
    }
}

impl Follow for GroupCoordinator {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match (before.topic(TOPIC), after.topic(TOPIC)) {
            (Some(old), Some(new)) if old.id == new.id => {
                if old.partitions.len() != new.partitions.len() {
                    warn!("groups move between partitions: {TOPIC} was given more of them");
                    self.start(new.partitions.len());
                }
            }
            (None, None) => {}
            (_, None) => self.shards.store(Arc::default()),
            (_, Some(new)) => {
                self.shards.store(Arc::default());
                self.start(new.partitions.len());
            }
        }
        let gone: Vec<(Str, Uuid)> = after
            .topic_changes(before)
            .filter_map(|change| match change {
                TopicChange::Deleted(topic) => Some((topic.name.clone(), topic.id)),
                _ => None,
            })
            .collect();
        if !gone.is_empty() {
            for shard in self.shards.load().iter().flatten() {
                // Whoever reads an offset of a topic that is made anew meanwhile has to wait for
                // its turn behind this.
                drop(shard.ask(Request::Forget(gone.clone())));
            }
        }
    }
}
