//! Writes the markers of one shard's transactions, beside the shard.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tracing::{error, warn};

use super::{Ending, Marker, Markers, NotWritten, Reply, Request, Transactions};
use crate::{
    coordinator::runtime::{Phase, Shard, Surroundings, Unavailable},
    metrics::Gauge,
};

/// Asks its shard for transactions that are decided, and does for each what is left to do: in
/// every partition a marker, however long that takes, and then the report. It ends with the shard.
pub(super) struct Writer {
    pub(super) shard: Weak<Shard<Transactions>>,
    pub(super) markers: Arc<dyn Markers>,
    pub(super) around: Surroundings,
    pub(super) coordinator_epoch: i32,
    /// Markers that are not written yet.
    pub(super) queue: Gauge,
    pub(super) known: Mutex<Known>,
}

/// Transactions by serial number: a shard may name one more than once, and a marker that comes
/// late would end the producer's next transaction.
#[derive(Debug, Default)]
pub(super) struct Known {
    working: BTreeSet<u64>,
    /// Reported. An answer of the shard that is on its way may still name them.
    reported: BTreeSet<u64>,
}

impl Writer {
    pub(super) fn start(self) {
        let spawn = Arc::clone(&self.around.spawn);
        spawn.task(Box::pin(Arc::new(self).run()));
    }

    async fn run(self: Arc<Self>) {
        let mut again = false;
        loop {
            // The shard has taken in these reports: what it answers from now on is without them.
            self.known().reported.clear();
            let Some(shard) = self.shard.upgrade().filter(|one| one.phase() != Phase::Failed)
            else {
                return;
            };
            let asked = shard.ask_patiently(Request::Endings { again });
            drop(shard);
            match asked.await {
                Ok(Reply::Endings(endings)) => {
                    again = false;
                    for ending in endings {
                        self.begin(ending);
                    }
                }
                Ok(_) | Err(Unavailable::NotHere) => return,
                // What it handed out with this answer is lost.
                Err(_) => {
                    again = true;
                    self.pause().await;
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, ending: Ending) {
        let mut known = self.known();
        if known.reported.contains(&ending.serial) || !known.working.insert(ending.serial) {
            return;
        }
        drop(known);
        let writer = Arc::clone(self);
        self.around.spawn.task(Box::pin(async move { writer.carry_out(ending).await }));
    }

    async fn carry_out(self: Arc<Self>, ending: Ending) {
        let marker = Marker {
            producer: ending.producer,
            commit: ending.commit,
            coordinator_epoch: self.coordinator_epoch,
            level: ending.level,
        };
        let mut left = ending.partitions;
        let mut queued = Queued::new(&self.queue, left.len());
        while !left.is_empty() {
            let written: Vec<_> =
                left.into_iter().map(|to| (self.markers.write(&to.0, to.1, marker), to)).collect();
            left = Vec::new();
            for (written, to) in written {
                match written.await {
                    // Of a partition that was deleted there is nothing left to end.
                    Ok(()) | Err(NotWritten::Gone) => queued.done(),
                    Err(NotWritten::NotNow) => left.push(to),
                    Err(fenced) => {
                        let (id, topic, partition) = (ending.id.as_str(), to.0.as_str(), to.1);
                        error!(id, topic, partition, ?fenced, "a marker came too late");
                        queued.done();
                    }
                }
            }
            if let Some((topic, partition)) = left.first() {
                let id = ending.id.as_str();
                let partitions = left.len();
                warn!(
                    id,
                    topic = topic.as_str(),
                    partition,
                    partitions,
                    "markers are to be retried"
                );
                self.pause().await;
            }
            if self.shard.strong_count() == 0 {
                return;
            }
        }
        drop(queued);
        while let Some(shard) = self.shard.upgrade() {
            let request = Request::Ended { id: ending.id.clone(), serial: ending.serial };
            let reported = shard.ask_patiently(request);
            drop(shard);
            match reported.await {
                Ok(_) => {
                    let mut known = self.known();
                    known.working.remove(&ending.serial);
                    known.reported.insert(ending.serial);
                    return;
                }
                Err(Unavailable::NotHere) => return,
                Err(_) => self.pause().await,
            }
        }
    }

    async fn pause(&self) {
        let timers = &self.around.timers;
        timers.sleep_until(timers.now() + RETRY_AFTER).await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Markers in the metric of those to come, out of which they are taken in any case.
struct Queued<'a> {
    queue: &'a Gauge,
    left: i64,
}

impl<'a> Queued<'a> {
    fn new(queue: &'a Gauge, count: usize) -> Self {
        let left = i64::try_from(count).unwrap_or(i64::MAX);
        queue.add(left);
        Self { queue, left }
    }

    fn done(&mut self) {
        self.queue.add(-1);
        self.left -= 1;
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.queue.add(-self.left);
    }
}

const RETRY_AFTER: Duration = Duration::from_millis(100);
