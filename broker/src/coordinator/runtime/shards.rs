//! All shards of one kind: one for each partition of their topic that this broker leads.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tracing::warn;

use super::{
    Machine, PartitionLog, Settings, Shard, Surroundings, Unavailable, placement::partition_of,
};
use crate::metadata::Image;

/// Finds the partitions that this broker leads. To be implemented by whoever holds them.
pub trait Logs: Send + Sync + fmt::Debug {
    fn open(&self, topic: &str, partition: i32) -> Option<Arc<dyn PartitionLog>>;
}

/// Thread-safe. Shards start when the topic is there and end when it is deleted.
#[derive(Debug)]
pub struct Shards<M: Machine> {
    topic: &'static str,
    commit_timeout: Duration,
    logs: Arc<dyn Logs>,
    around: Surroundings,
    /// By partition; `None` where this broker does not lead it.
    shards: ArcSwap<Vec<Option<Arc<Shard<M>>>>>,
    /// Held while shards are started or ended.
    changing: Mutex<()>,
}

impl<M: Machine> Shards<M> {
    /// None yet: [`Shards::follow`] starts them.
    #[must_use]
    pub fn new(
        topic: &'static str,
        commit_timeout: Duration,
        logs: Arc<dyn Logs>,
        around: Surroundings,
    ) -> Self {
        let shards = ArcSwap::default();
        Self { topic, commit_timeout, logs, around, shards, changing: Mutex::new(()) }
    }

    /// Asks the shard that holds what is called `id`. The request is in the shard's queue before
    /// this returns.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask(
        &self,
        id: &str,
        request: M::Request,
    ) -> impl Future<Output = Result<M::Reply, Unavailable>> + use<M> {
        self.ask_at(self.partition_of(id).unwrap_or(NO_PARTITION), request)
    }

    /// The partition that holds what is called `id`, if the topic is there.
    #[must_use]
    pub fn partition_of(&self, id: &str) -> Option<i32> {
        let count = i32::try_from(self.shards.load().len()).unwrap_or(i32::MAX);
        (count > 0).then(|| partition_of(id, count))
    }

    /// Asks the shard of one partition, in the same way.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask_at(
        &self,
        partition: i32,
        request: M::Request,
    ) -> impl Future<Output = Result<M::Reply, Unavailable>> + use<M> {
        let shards = self.shards.load();
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
    pub async fn ask_all(&self, request: &M::Request) -> Result<Vec<M::Reply>, Unavailable>
    where
        M::Request: Clone,
    {
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

    /// Puts a request into the queue of every shard, whose reply nobody waits for.
    pub fn tell_all(&self, request: &M::Request)
    where
        M::Request: Clone,
    {
        for shard in self.shards.load().iter().flatten() {
            drop(shard.ask(request.clone()));
        }
    }

    /// Ends all shards. Who waits for a reply is told to look for a coordinator again.
    pub fn stop(&self) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.shards.store(Arc::default());
    }

    /// Follows what became of the topic. `make` makes an empty machine for a partition; `started`
    /// is shown every shard that was started.
    pub fn follow(
        &self,
        before: &Image,
        after: &Image,
        make: impl Fn(i32) -> M,
        started: impl Fn(i32, &Arc<Shard<M>>),
    ) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match (before.topic(self.topic), after.topic(self.topic)) {
            (Some(old), Some(new)) if old.id == new.id => {
                if old.partitions.len() != new.partitions.len() {
                    warn!(topic = self.topic, "more partitions: what is coordinated moves");
                    self.start(new.partitions.len(), make, started);
                }
            }
            (None, None) => {}
            (_, None) => self.shards.store(Arc::default()),
            (_, Some(new)) => {
                self.shards.store(Arc::default());
                self.start(new.partitions.len(), make, started);
            }
        }
    }

    fn start(
        &self,
        partitions: usize,
        make: impl Fn(i32) -> M,
        started: impl Fn(i32, &Arc<Shard<M>>),
    ) {
        let known = self.shards.load_full();
        let start = |index: usize| {
            if let Some(Some(shard)) = known.get(index) {
                return Some(Arc::clone(shard));
            }
            let partition = i32::try_from(index).ok()?;
            let log = self.logs.open(self.topic, partition)?;
            let name = format!("{}-{partition}", self.topic);
            let settings = Settings { name, commit_timeout: self.commit_timeout };
            let shard = Shard::start(make(partition), log, settings, self.around.clone());
            let shard = Arc::new(shard);
            started(partition, &shard);
            Some(shard)
        };
        self.shards.store(Arc::new((0..partitions).map(start).collect()));
    }
}

/// Nowhere to be found.
const NO_PARTITION: i32 = -1;
