//! The transactions of this broker: one shard for each partition of `__transaction_state`.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use milena_protocol::{ErrorCode, ProducerEpoch, ProducerId, wire::Str};

use super::{
    Census, Described, End, Initialize, Initialized, Level, Limits, Listed, Markers, Producer,
    Reply, Request, TopicPartition, Transactions, writer::Writer,
};
use crate::{
    coordinator::runtime::{Logs, Shards, Surroundings, Unavailable},
    metadata::{Follow, Image},
    metrics::{Registry, names},
};

/// Where transactions keep their state.
pub const TOPIC: &str = "__transaction_state";

/// The feature whose level says by which rules transactions go.
pub const FEATURE: &str = "transaction.version";

/// Hands out producer ids that nobody has had. To be implemented by whoever has them.
pub trait ProducerIds: Send + Sync + fmt::Debug {
    /// `None` if there is none at the moment.
    fn next(&self) -> Pin<Box<dyn Future<Output = Option<ProducerId>> + Send + '_>>;
}

/// Thread-safe. It follows the metadata, after whatever makes the logs.
#[derive(Debug)]
pub struct TransactionCoordinator {
    limits: Arc<Limits>,
    shards: Shards<Transactions>,
    around: Surroundings,
    markers: Arc<dyn Markers>,
    producer_ids: Arc<dyn ProducerIds>,
    metrics: Arc<Registry>,
}

/// What a coordinator works with.
#[derive(Debug)]
pub struct Parts {
    pub limits: Limits,
    pub logs: Arc<dyn Logs>,
    pub markers: Arc<dyn Markers>,
    pub producer_ids: Arc<dyn ProducerIds>,
    pub around: Surroundings,
    pub metrics: Arc<Registry>,
}

impl TransactionCoordinator {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { limits, logs, markers, producer_ids, around, metrics } = parts;
        let shards = Shards::new(TOPIC, COMMIT_TIMEOUT, logs, around.clone());
        Self { limits: Arc::new(limits), shards, around, markers, producer_ids, metrics }
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A producer takes up a transactional id; the answer is who it is from now on.
    ///
    /// # Errors
    /// The code to tell it.
    pub async fn initialize(&self, r: Initialize) -> Result<Initialized, ErrorCode> {
        let mut r = r;
        loop {
            match self.shards.ask(&r.id, Request::Initialize(r.clone())).await {
                Ok(Reply::Initialize(outcome)) => return outcome,
                Ok(Reply::NeedsProducerId) => r.spare = Some(self.spare().await?),
                other => return Err(failure(&other)),
            }
        }
    }

    /// Whether each of these partitions is in the transaction that this producer has open.
    pub async fn verify(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Vec<ErrorCode> {
        let request = Request::Verify {
            id: Str::from(id),
            producer: Producer { id: producer, epoch },
            partitions: partitions.to_vec(),
        };
        match self.shards.ask(id, request).await {
            Ok(Reply::Verify(codes)) => codes,
            other => vec![failure(&other); partitions.len()],
        }
    }

    /// Puts partitions into the transaction of a producer that goes by the rules of version 2.
    pub async fn add_partitions(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Vec<ErrorCode> {
        let producer = Producer { id: producer, epoch };
        let code = self.add(id, producer, partitions.to_vec(), Level::Bumping).await;
        vec![code; partitions.len()]
    }

    /// Puts partitions into a producer's transaction, all or none.
    pub async fn add(
        &self,
        id: &str,
        producer: Producer,
        partitions: Vec<TopicPartition>,
        client: Level,
    ) -> ErrorCode {
        let request = Request::Add { id: Str::from(id), producer, partitions, client };
        match self.shards.ask(id, request).await {
            Ok(Reply::Add(code)) => code,
            other => failure(&other),
        }
    }

    /// A producer ends its transaction; the answer is who it is in the next one.
    ///
    /// # Errors
    /// The code to tell it.
    pub async fn end(&self, r: End) -> Result<Producer, ErrorCode> {
        let mut r = r;
        loop {
            match self.shards.ask(&r.id, Request::End(r.clone())).await {
                Ok(Reply::End(outcome)) => return outcome,
                Ok(Reply::NeedsProducerId) => r.spare = Some(self.spare().await?),
                other => return Err(failure(&other)),
            }
        }
    }

    /// All there is to know of a transactional id.
    ///
    /// # Errors
    /// The code to tell whoever asked.
    pub async fn describe(&self, id: &str) -> Result<Described, ErrorCode> {
        match self.shards.ask(id, Request::Describe(Str::from(id))).await {
            Ok(Reply::Describe(found)) => found.ok_or(ErrorCode::TransactionalIdNotFound),
            other => Err(failure(&other)),
        }
    }

    /// Every transactional id of this broker, by shard and id.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn list(&self) -> Result<Vec<Listed>, Unavailable> {
        let replies = self.shards.ask_all(&Request::List).await?;
        let listed = replies.into_iter().flat_map(|reply| match reply {
            Reply::List(listed) => listed,
            _ => Vec::new(),
        });
        Ok(listed.collect())
    }

    /// Where the ends of transactions are written.
    #[must_use]
    pub fn markers(&self) -> &dyn Markers {
        &*self.markers
    }

    /// Ends all shards.
    pub fn stop(&self) {
        self.shards.stop();
    }

    async fn spare(&self) -> Result<ProducerId, ErrorCode> {
        // No id was taken: the client may ask again.
        self.producer_ids.next().await.ok_or(ErrorCode::CoordinatorLoadInProgress)
    }
}

impl Follow for TransactionCoordinator {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        let level = after.features().find(|(name, _)| name.as_str() == FEATURE);
        self.limits.set_level(level.map_or(Level::Original, |(_, at)| Level::from_number(at)));
        let make =
            |_| Transactions::new(Arc::clone(&self.limits), Arc::new(Census::new(&self.metrics)));
        self.shards.follow(before, after, make, |partition, shard| {
            let topic = after.topic(TOPIC);
            let index = usize::try_from(partition).unwrap_or_default();
            let found = topic.and_then(|topic| topic.partitions.get(index));
            let writer = Writer {
                shard: Arc::downgrade(shard),
                markers: Arc::clone(&self.markers),
                around: self.around.clone(),
                coordinator_epoch: found.map_or(0, |partition| partition.leader_epoch.0),
                queue: self.metrics.gauge(&names::TRANSACTION_MARKERS_WAITING),
                known: std::sync::Mutex::default(),
            };
            writer.start();
        });
    }
}

/// The code where a request got no reply of its own kind.
fn failure(outcome: &Result<Reply, Unavailable>) -> ErrorCode {
    match outcome {
        Ok(_) => ErrorCode::UnknownServerError,
        Err(unavailable) => unavailable.code(),
    }
}

/// How long those who asked are kept waiting for a commit of the log.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
