//! Upkeep of the logs, on a thread of its own because it waits for the disk: retention, rolling by
//! age, checkpoints, delete-records, snapshots of the metadata, and freeing the space of what was
//! deleted.

use std::{
    io, iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use milena_protocol::{Offset, Timestamp};
use milena_storage::{
    flush::{SYNCING_THREADS, SyncLoop},
    log::{DeletedSegment, TrimError},
    manager::{DeletedPartition, Manager},
};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info, warn};

use super::{
    Partition, Replicas,
    schedule::{Job, Schedule},
};
use crate::{
    config::{BrokerConfig, FlushPolicy},
    metadata::Snapshots,
    metrics::Source,
    tasks::Spawn,
};

/// The schedule, and the way to the thread that does what it says.
#[derive(Debug)]
pub(super) struct Upkeep {
    schedule: Mutex<Schedule<Removal>>,
    /// Something was scheduled, or the broker is stopping.
    changed: Notify,
    work: mpsc::Sender<Work>,
    /// What the threads take when they are started.
    unstarted: Mutex<Option<(mpsc::Receiver<Work>, Vec<SyncLoop>)>>,
    /// Of the metadata; held by nobody but the thread.
    snapshots: Mutex<Option<Snapshots>>,
}

/// Something whose space is to be freed.
#[derive(Debug)]
pub(super) enum Removal {
    Segment { dir: Arc<Manager>, segment: DeletedSegment },
    Partition { dir: Arc<Manager>, partition: DeletedPartition },
}

/// One thing for the thread to do.
#[derive(Debug)]
enum Work {
    Job(Job<Removal>),
    DeleteRecords { deletions: Vec<Deletion>, answer: oneshot::Sender<Vec<Deleted>> },
    Close { done: oneshot::Sender<()> },
}

/// Everything before an offset is to go, `None` for the high watermark.
#[derive(Clone, Debug)]
pub struct Deletion {
    pub partition: Arc<Partition>,
    pub before: Option<i64>,
}

/// Where the log begins now.
pub type Deleted = Result<Offset, DeleteRecordsError>;

#[derive(Debug)]
pub enum DeleteRecordsError {
    BeyondHighWatermark,
    Trim(TrimError),
    /// The new start could not be written down: a crash may bring the records back.
    NotNoted,
    Stopping,
}

impl Upkeep {
    pub(super) fn new(config: &BrokerConfig, now: Duration, sync_loops: Vec<SyncLoop>) -> Self {
        let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0)).max(INTERVAL_MIN);
        let retain_every = ms(config.retention_check_interval_ms);
        let checkpoint_every = ms(config.flush_checkpoint_interval_ms.into());
        let (work, queue) = mpsc::channel(WORK_QUEUED_MAX);
        Self {
            schedule: Mutex::new(Schedule::new(retain_every, checkpoint_every, now)),
            changed: Notify::new(),
            work,
            unstarted: Mutex::new(Some((queue, sync_loops))),
            snapshots: Mutex::new(None),
        }
    }

    fn remove_at(&self, due: Duration, what: Removal) {
        lock(&self.schedule).remove_at(due, what);
        self.changed.notify_one();
    }
}

impl Replicas {
    /// Starts the threads that sync, the ones that compact and move logs, the one that works, and the task that
    /// watches the schedule. All end with [`Replicas::close`].
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(self: &Arc<Self>, spawn: &dyn Spawn) -> io::Result<()> {
        let Some((mut queue, sync_loops)) = lock(&self.upkeep.unstarted).take() else {
            return Ok(());
        };
        let syncing = sync_loops
            .into_iter()
            .flat_map(|sync_loop| iter::repeat_n(sync_loop, SYNCING_THREADS))
            .map(|sync_loop| spawn.thread("syncer", Box::new(move || sync_loop.run())))
            .collect::<io::Result<Vec<_>>>()?;
        let source: Arc<dyn Source> = Arc::<Self>::clone(self);
        self.metrics.add_source(&source);
        let cleaning = self.start_cleaner(spawn)?;
        let moving = self.start_mover(spawn)?;
        let replicas = Arc::clone(self);
        let work = move || {
            while let Some(work) = queue.blocking_recv() {
                match work {
                    Work::Job(job) => replicas.run(job),
                    Work::DeleteRecords { deletions, answer } => {
                        // Nobody may be left to hear it.
                        let _ = answer.send(replicas.delete_all(&deletions));
                    }
                    Work::Close { done } => {
                        replicas.close_all(syncing, [cleaning, moving]);
                        let _ = done.send(());
                        break;
                    }
                }
            }
        };
        spawn.thread("upkeep", Box::new(work))?;
        spawn.task(Box::pin(Arc::clone(self).watch_schedule()));
        Ok(())
    }

    /// Has snapshots of the metadata taken from here on.
    pub fn take_snapshots(&self, snapshots: Snapshots) {
        *lock(&self.upkeep.snapshots) = Some(snapshots);
    }

    /// Syncs and closes all logs. Whatever waits is told that its time is up; nothing may be
    /// appended any more.
    pub async fn close(&self) {
        self.shared.fetches.close();
        self.shared.commits.close();
        let (done, closed) = oneshot::channel();
        if self.upkeep.work.send(Work::Close { done }).await.is_ok() {
            // A thread that is gone has nothing left to close.
            let _ = closed.await;
        }
        self.upkeep.changed.notify_one();
    }

    /// Deletes records from the front of partitions, durably.
    pub async fn delete_records(&self, deletions: Vec<Deletion>) -> Vec<Deleted> {
        let count = deletions.len();
        let (answer, answered) = oneshot::channel();
        let sent = self.upkeep.work.send(Work::DeleteRecords { deletions, answer }).await;
        match (sent, answered.await) {
            (Ok(()), Ok(deleted)) => deleted,
            (Err(_), _) | (_, Err(_)) => {
                (0..count).map(|_| Err(DeleteRecordsError::Stopping)).collect()
            }
        }
    }

    async fn watch_schedule(self: Arc<Self>) {
        let timers = &self.shared.timers;
        loop {
            let next = lock(&self.upkeep.schedule).next();
            tokio::select! {
                () = timers.sleep_until(next) => {}
                () = self.upkeep.changed.notified() => {}
            }
            let due = lock(&self.upkeep.schedule).take_due(timers.now());
            for job in due {
                if self.upkeep.work.send(Work::Job(job)).await.is_err() {
                    return;
                }
            }
            if self.upkeep.work.is_closed() {
                return;
            }
        }
    }

    fn run(&self, job: Job<Removal>) {
        match job {
            Job::Retain => self.retain_all(self.clock.now()),
            Job::Checkpoint => self.checkpoint_all(),
            Job::Remove(removal) => free(&removal),
        }
    }

    pub(super) fn retain_all(&self, now: Timestamp) {
        for partition in self.partitions() {
            let log = partition.log();
            if log.offline().is_some() {
                continue;
            }
            if let Err(error) = log.roll_if_due(now) {
                warn!(?partition, %error, "could not roll the active segment");
            }
            let start = log.start_offset();
            match log.retain(now, partition.high_watermark()) {
                Ok(deleted) => self.remove_later(&partition, deleted),
                Err(error) => warn!(?partition, %error, "retention failed"),
            }
            if log.start_offset() != start {
                partition.changed();
            }
        }
    }

    /// Where nothing else syncs a log, this does, so that a restart after a crash has little to
    /// read again.
    fn checkpoint_all(&self) {
        for partition in self.partitions() {
            let lazy = partition.config().flush_policy != FlushPolicy::Ack;
            if lazy && partition.log().is_dirty() {
                // The log has said why, if it failed; what could not be tried is tried again.
                let _ = partition.log().try_flush();
            }
        }
        if let Some(snapshots) = &mut *lock(&self.upkeep.snapshots) {
            snapshots.keep_up();
        }
        self.retry_offline();
        self.note_offsets();
        self.count_transactions(self.clock.now());
    }

    /// Writes recovery points and log starts down; whether all could be.
    fn note_offsets(&self) -> bool {
        let mut all = true;
        for dir in self.volumes.iter().map(|volume| &volume.dir) {
            if let Err(error) = dir.checkpoint() {
                error!(dir = %dir.root().display(), %error, "could not write checkpoints");
                all = false;
            }
        }
        all
    }

    fn delete_all(&self, deletions: &[Deletion]) -> Vec<Deleted> {
        let trimmed: Vec<_> = deletions.iter().map(|deletion| self.trim(deletion)).collect();
        let noted = self.note_offsets();
        let answer = |start: Deleted| match start {
            Ok(_) if !noted => Err(DeleteRecordsError::NotNoted),
            start => start,
        };
        trimmed.into_iter().map(answer).collect()
    }

    fn close_all(&self, syncing: Vec<JoinHandle<()>>, others: [Option<JoinHandle<()>>; 2]) {
        self.cleaner.stop();
        self.mover.stop();
        for thread in others.into_iter().flatten() {
            if thread.join().is_err() {
                error!("a thread that compacts or moves logs had failed");
            }
        }
        for volume in &self.volumes {
            volume.syncer.stop();
        }
        for thread in syncing {
            if thread.join().is_err() {
                error!("a syncing thread had failed");
            }
        }
        for dir in self.volumes.iter().map(|volume| &volume.dir) {
            match dir.close() {
                Ok(()) => info!(dir = %dir.root().display(), "closed logs"),
                Err(error) => {
                    error!(dir = %dir.root().display(), %error, "logs not closed in order");
                }
            }
        }
    }

    fn trim(&self, deletion: &Deletion) -> Deleted {
        let partition = &deletion.partition;
        let high_watermark = partition.high_watermark();
        let before = deletion.before.map_or(high_watermark, Offset);
        if before > high_watermark || before < Offset::ZERO {
            return Err(DeleteRecordsError::BeyondHighWatermark);
        }
        let deleted = partition.write(|log| log.advance_start(before));
        partition.changed();
        let deleted = deleted.map_err(DeleteRecordsError::Trim)?;
        self.remove_later(partition, deleted);
        Ok(partition.log().start_offset())
    }

    fn remove_later(&self, partition: &Partition, segments: Vec<DeletedSegment>) {
        for segment in segments {
            let dir = Arc::clone(&partition.place().volume.dir);
            self.upkeep.remove_at(self.removal_due(partition), Removal::Segment { dir, segment });
        }
    }

    /// Frees a deleted partition's space after `file.delete.delay.ms`.
    pub(super) fn remove_partition_later(
        &self,
        of: &Partition,
        dir: &Arc<Manager>,
        partition: DeletedPartition,
    ) {
        let dir = Arc::clone(dir);
        self.upkeep.remove_at(self.removal_due(of), Removal::Partition { dir, partition });
    }

    /// Frees the space of what nobody can be reading.
    pub(super) fn remove_soon(&self, dir: &Arc<Manager>, partition: DeletedPartition) {
        let dir = Arc::clone(dir);
        self.upkeep.remove_at(self.shared.timers.now(), Removal::Partition { dir, partition });
    }

    fn removal_due(&self, partition: &Partition) -> Duration {
        let delay = u64::try_from(partition.config().file_delete_delay_ms).unwrap_or(0);
        self.shared.timers.now().saturating_add(Duration::from_millis(delay))
    }
}

fn free(removal: &Removal) {
    let (dir, freed) = match removal {
        Removal::Segment { dir, segment } => (dir, segment.remove(&**dir.disk())),
        Removal::Partition { dir, partition } => (dir, partition.remove(&**dir.disk())),
    };
    if let Err(error) = freed {
        warn!(dir = %dir.root().display(), %error, "could not free what was deleted");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An interval of nothing would keep a core busy.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Requests wait beyond that.
const WORK_QUEUED_MAX: usize = 64;
