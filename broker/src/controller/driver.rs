//! Runs decisions one after the other and commits what they decided.
//!
//! Whatever waits is decided in one go, each on the outcome of those before it, and committed with
//! one sync. Nobody is answered, and no image is published, before that.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use super::{Node, View, start};
use crate::{
    clock::{Clock, Rng},
    config::BrokerConfig,
    metadata::{Image, Inconsistent, Metadata, MetadataRecord, NotCommitted, Quorum, TopicChange},
};

/// A decision that waits for its turn.
pub(super) type Job = Box<dyn FnOnce(&View<'_>) -> Decided + Send>;

/// What comes to the driver.
pub(super) enum Message {
    Decide(Job),
    /// Nothing is decided after this; whoever sent it is told when that is so.
    Stop(oneshot::Sender<()>),
}

/// What was decided, and whom to tell once that is committed, or is not.
pub(super) struct Decided {
    pub(super) records: Vec<MetadataRecord>,
    pub(super) answer: Box<dyn FnOnce(Result<(), NotCommitted>) + Send>,
}

/// The only writer of the metadata. Blocks: it wants a thread of its own.
#[derive(Debug)]
pub struct Driver {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) quorum: Box<dyn Quorum>,
    pub(super) metadata: Arc<Metadata>,
    pub(super) config: Arc<ArcSwap<BrokerConfig>>,
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
}

impl Driver {
    /// Takes up the state that the log was replayed to: registers this broker and begins a new
    /// reign over its partitions. What is published first is the state after that.
    ///
    /// # Errors
    /// The log took nothing; the broker must not serve.
    pub fn start(&mut self, replayed: Image) -> Result<(), NotCommitted> {
        let config = self.config.load_full();
        let records = start::records(&self.view(&replayed, &config));
        let mut image = replayed;
        let count = records.len();
        take_in(&mut image, &records).map_err(|error| NotCommitted(error.to_string()))?;
        let batches: Vec<_> = records.chunks(RECORDS_PER_BATCH).map(<[_]>::to_vec).collect();
        self.quorum.propose(&batches, self.clock.now())?;
        info!(node = self.node.id, records = count, end = image.end(), "registered the broker");
        self.metadata.publish(Arc::new(image), self.quorum.status());
        Ok(())
    }

    /// Serves until it is told to stop, or every [`super::Controller`] is gone.
    pub fn run(mut self) {
        let mut messages = Vec::new();
        while self.messages.blocking_recv_many(&mut messages, JOBS_PER_COMMIT) > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            let mut stop = None;
            for message in messages.drain(..) {
                match message {
                    Message::Decide(job) => jobs.push(job),
                    Message::Stop(told) => stop = Some(told),
                }
            }
            self.serve(jobs);
            if let Some(told) = stop {
                drop(self);
                // Whoever asked may have lost patience.
                let _ = told.send(());
                return;
            }
        }
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        let config = self.config.load_full();
        let mut image = Image::clone(&self.metadata.image());
        let mut batches = Vec::new();
        let mut answers = Vec::new();
        for job in jobs {
            let decided = catch_unwind(AssertUnwindSafe(|| job(&self.view(&image, &config))));
            // Whoever asked hears that nothing was committed; the others are not to suffer.
            let Ok(Decided { records, answer }) = decided else {
                error!("a decision panicked and is void");
                continue;
            };
            match take_in(&mut image, &records) {
                Ok(()) => {
                    if !records.is_empty() {
                        batches.push(records);
                    }
                    answers.push(answer);
                }
                Err(error) => {
                    error!(%error, "refused a decision that contradicts the metadata");
                    answer(Err(NotCommitted(error.to_string())));
                }
            }
        }
        let outcome = self.commit(image, &batches);
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn commit(
        &mut self,
        image: Image,
        batches: &[Vec<MetadataRecord>],
    ) -> Result<(), NotCommitted> {
        if batches.is_empty() {
            return Ok(());
        }
        let end = self.quorum.propose(batches, self.clock.now()).inspect_err(|error| {
            error!(%error, "could not commit a change of the metadata");
        })?;
        debug_assert_eq!(end, image.end(), "the log and the image count the same records");
        tell(&self.metadata.image(), &image);
        self.metadata.publish(Arc::new(image), self.quorum.status());
        Ok(())
    }

    fn view<'a>(&'a self, image: &'a Image, config: &'a BrokerConfig) -> View<'a> {
        View { image, config, node: &self.node, rng: &*self.rng }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decide(_) => "Decide",
            Self::Stop(_) => "Stop",
        })
    }
}

/// Says what became of topics. Whoever holds the logs tells of deletions.
fn tell(before: &Image, after: &Image) {
    for change in after.topic_changes(before) {
        let (topic, event) = match change {
            TopicChange::Created(topic) => (topic, "created topic"),
            TopicChange::Changed { after, .. } => (after, "changed topic"),
            TopicChange::Deleted(_) => continue,
        };
        info!(topic = %topic.name, id = %topic.id, partitions = topic.partitions.len(), "{event}");
    }
}

/// Applies all of `records` to `image`, or none.
fn take_in(image: &mut Image, records: &[MetadataRecord]) -> Result<(), Inconsistent> {
    let mut next = image.clone();
    for record in records {
        let offset = next.end();
        next.apply(record, offset)?;
    }
    *image = next;
    Ok(())
}

/// Decisions that share one sync.
const JOBS_PER_COMMIT: usize = 64;
/// Records of a start in one batch; a decision's are one batch whatever their number.
const RECORDS_PER_BATCH: usize = 10_000;
