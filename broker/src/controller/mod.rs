//! Changes to the cluster's metadata, decided purely and committed to the metadata log.
//!
//! A decision is a function of a [`View`] and a request; it returns records and what to answer.
//! The [`Controller`] runs decisions one after the other, each on the outcome of those before.

//! Changes to the cluster's metadata, decided purely and committed to the metadata log.
//!
//! A decision is a function of a [`View`] and a request; it returns records and what to answer.
//! The [`Controller`] runs decisions one after the other, each on the outcome of those before.

mod configs;
mod driver;
mod features;
mod leaders;
mod name;
mod producer_ids;
mod refusal;
mod start;
mod topics;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use milena_protocol::{
    ProducerId, Uuid,
    messages::topics::{
        create_partitions::CreatePartitionsTopic, create_topics::CreatableTopic,
        delete_topics::DeleteTopicState,
    },
    wire::Str,
};
use tokio::sync::{mpsc, oneshot};

pub use configs::{Alteration, Change, Edit, Operation};
pub use driver::Driver;
pub use features::{FeatureUpdate, SUPPORTED_FEATURES, SupportedFeature};
pub use leaders::Election;
pub use name::{BadName, check as check_topic_name};
pub use refusal::Refusal;
pub use topics::{Created, Deleted, PARTITIONS_PER_REQUEST_MAX};

use crate::{
    clock::{Clock, Rng},
    config::BrokerConfig,
    metadata::{Image, Metadata, MetadataRecord, NotCommitted, Quorum},
};
use driver::{Decided, Job, Message};

/// Asks for changes of the metadata. Cheap to clone; thread-safe.
///
/// An answer comes once the change is committed and all that follows the metadata has followed
/// it. Each method answers [`Refusal::NotCommitted`] for every item if the log failed.
#[derive(Clone, Debug)]
pub struct Controller {
    messages: mpsc::Sender<Message>,
    producer_ids: Arc<producer_ids::Block>,
}

/// What a controller works with.
#[derive(Debug)]
pub struct Parts {
    pub quorum: Box<dyn Quorum>,
    pub metadata: Arc<Metadata>,
    pub config: Arc<ArcSwap<BrokerConfig>>,
    pub node: Node,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
}

impl Controller {
    /// A controller and its driver, which is to be started with the replayed image and then run on
    /// a thread of its own.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, Driver) {
        let (messages, queue) = mpsc::channel(JOBS_WAITING_MAX);
        let Parts { quorum, metadata, config, node, clock, rng } = parts;
        let driver = Driver { messages: queue, quorum, metadata, config, node, clock, rng };
        (Self { messages, producer_ids: Arc::default() }, driver)
    }

    pub async fn create_topics(
        &self,
        topics: Vec<CreatableTopic>,
        validate_only: bool,
    ) -> Vec<Result<Created, Refusal>> {
        let count = topics.len();
        self.decide(move |view| topics::create(view, &topics, validate_only))
            .await
            .unwrap_or_else(|error| refuse_all(count, &error))
    }

    pub async fn delete_topics(&self, targets: Vec<DeleteTopicState>) -> Vec<Deleted> {
        let asked = targets.clone();
        let decided = self.decide(move |view| topics::delete(view, &targets)).await;
        decided.unwrap_or_else(|error| {
            let failed = |one: DeleteTopicState| Deleted {
                name: one.name,
                id: one.topic_id,
                outcome: Err(Refusal::from(error.clone())),
            };
            asked.into_iter().map(failed).collect()
        })
    }

    pub async fn create_partitions(
        &self,
        topics: Vec<CreatePartitionsTopic>,
        validate_only: bool,
    ) -> Vec<Result<(), Refusal>> {
        let count = topics.len();
        self.decide(move |view| topics::create_partitions(view, &topics, validate_only))
            .await
            .unwrap_or_else(|error| refuse_all(count, &error))
    }

    pub async fn alter_configs(
        &self,
        alterations: Vec<Alteration>,
        validate_only: bool,
    ) -> Vec<Result<(), Refusal>> {
        let count = alterations.len();
        self.decide(move |view| configs::alter(view, &alterations, validate_only))
            .await
            .unwrap_or_else(|error| refuse_all(count, &error))
    }

    /// # Errors
    /// Why none of `updates` was made.
    pub async fn update_features(
        &self,
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    ) -> Result<(), Refusal> {
        self.decide(move |view| features::update(view, &updates, validate_only)).await?
    }

    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: Vec<(Str, i32)>,
    ) -> Vec<Result<(), Refusal>> {
        let count = partitions.len();
        self.decide(move |view| leaders::elect(view, election, &partitions))
            .await
            .unwrap_or_else(|error| refuse_all(count, &error))
    }

    /// Whether each partition's replicas can be moved, or a move of them be stopped.
    pub async fn reassign(&self, moves: Vec<Reassignment>) -> Vec<Result<(), Refusal>> {
        let count = moves.len();
        self.decide(move |view| (Vec::new(), leaders::reassign(view, &moves)))
            .await
            .unwrap_or_else(|error| refuse_all(count, &error))
    }

    /// A producer id that nobody has had before, in any life of the cluster.
    ///
    /// # Errors
    /// [`Refusal::NotCommitted`] if a new block was needed and the log failed.
    pub async fn next_producer_id(&self) -> Result<ProducerId, Refusal> {
        loop {
            if let Some(id) = self.producer_ids.take() {
                return Ok(id);
            }
            let block = self.decide(producer_ids::next_block).await?;
            if let Some(id) = self.producer_ids.refill(block) {
                return Ok(id);
            }
        }
    }

    /// Ends the driver after what was asked for until now; what is asked for later is refused.
    pub async fn stop(&self) {
        let (sender, stopped) = oneshot::channel();
        if self.messages.send(Message::Stop(sender)).await.is_ok() {
            // An error says the same: the driver is gone.
            let _ = stopped.await;
        }
    }

    /// Has `decision` made in its turn, on the state that all before it left behind.
    async fn decide<T: Send + 'static>(
        &self,
        decision: impl FnOnce(&View<'_>) -> (Vec<MetadataRecord>, T) + Send + 'static,
    ) -> Result<T, NotCommitted> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |view| {
            let (records, outcome) = decision(view);
            Decided {
                records,
                // A client that is gone has nobody to be told.
                answer: Box::new(move |committed| {
                    let _ = sender.send(committed.map(|()| outcome));
                }),
            }
        });
        let stopped = || NotCommitted("the controller has stopped".to_owned());
        self.messages.send(Message::Decide(job)).await.map_err(|_| stopped())?;
        let void = || NotCommitted("the controller stopped, or could not decide".to_owned());
        answer.await.unwrap_or_else(|_| Err(void()))
    }
}

/// Where a partition's replicas are to live; `None` stops a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    pub topic: Str,
    pub partition: i32,
    pub replicas: Option<Vec<i32>>,
}

/// All that a decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub image: &'a Image,
    pub config: &'a BrokerConfig,
    pub node: &'a Node,
    pub rng: &'a dyn Rng,
}

/// This broker, as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: i32,
    /// Its log directories, also those that partitions may be in and that are not there now. New
    /// partitions are said to be in the first.
    pub directories: Vec<Uuid>,
}

impl View<'_> {
    /// Brokers that can hold replicas, by number.
    fn active(&self) -> Vec<i32> {
        self.image.brokers().filter(|broker| !broker.fenced).map(|broker| broker.id).collect()
    }

    /// Where a replica on `broker` is put.
    fn directory_of(&self, broker: i32) -> Uuid {
        let first = self.image.broker(broker).and_then(|broker| broker.directories.first());
        first.copied().unwrap_or_default()
    }
}

fn refuse_all<T>(count: usize, error: &NotCommitted) -> Vec<Result<T, Refusal>> {
    (0..count).map(|_| Err(Refusal::from(error.clone()))).collect()
}

/// Decisions that may wait for their turn; whoever comes then waits to wait.
const JOBS_WAITING_MAX: usize = 1024;
