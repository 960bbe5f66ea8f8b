//! One partition that this broker leads: its log, and how far readers may see.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use milena_protocol::{LeaderEpoch, Offset, Timestamp, Uuid, wire::Str};
use milena_storage::{
    epochs::EpochEnd,
    flush::{Flushed, Syncer},
    log::{
        Append, AppendError, Appended, FlushError, Log, LogConfig, Origin, ReadError, ReadLimits,
        ReadResult,
    },
    manager::{DeletedPartition, Manager, ManagerError, PartitionName},
    producers::EndMarker,
};

use super::{
    fetch_session::{Changes, Watched, Watchers},
    unsynced::Unsynced,
};
use crate::{
    config::{FlushPolicy, TopicConfig},
    purgatory::{Expire, Purgatory, Timers},
};

/// What writers wait in; woken when a high watermark advances, when a log is synced, and when a
/// partition goes away or its log goes offline.
pub type Waiting = Purgatory<PartitionKey>;

/// What a fetch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchKey {
    Partition(PartitionKey),
    /// Any partition of a fetch session, by its id.
    Session(i32),
}

/// Names one partition while the broker runs. A topic that is created again has new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey(pub u64);

/// Thread-safe. Appends are ordered by the log; the high watermark only rises.
///
/// The high watermark is what consumers see and what `acks=all` waits for: the synced end of the
/// log under `flush.policy=ack`, its end otherwise.
pub struct Partition {
    pub topic: Str,
    pub topic_id: Uuid,
    pub index: i32,
    name: PartitionName,
    key: PartitionKey,
    place: ArcSwap<Place>,
    /// Held for reading while something is written to the log, and for writing while another log
    /// takes its place. What is done with it held for writing must not wait for anything slow.
    moving: RwLock<()>,
    high_watermark: AtomicI64,
    leader_epoch: AtomicI32,
    in_sync_replicas: AtomicUsize,
    config: ArcSwap<TopicConfig>,
    gone: AtomicBool,
    unsynced: Mutex<Unsynced>,
    /// The log is on its way to another directory.
    copying: AtomicBool,
    /// A timer for `flush.ms` is running.
    flush_armed: AtomicBool,
    /// Fetch sessions that want to know what changes.
    watchers: Watchers,
    itself: Weak<Self>,
    shared: Shared,
}

/// Where a partition stands in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leadership {
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) in_sync_replicas: usize,
}

impl Partition {
    /// A partition over a log, everything in which is taken to be committed.
    pub(super) fn new(made: Made, shared: Shared) -> Arc<Self> {
        let Made { topic, topic_id, name, key, place, leadership, config } = made;
        let end = place.log.end_offset();
        place.log.on_high_watermark(end);
        place.log.assign_epoch(leadership.leader_epoch);
        Arc::new_cyclic(|itself| Self {
            topic,
            topic_id,
            index: name.partition(),
            name,
            key,
            place: ArcSwap::from_pointee(place),
            moving: RwLock::new(()),
            high_watermark: AtomicI64::new(end.0),
            leader_epoch: AtomicI32::new(leadership.leader_epoch.0),
            in_sync_replicas: AtomicUsize::new(leadership.in_sync_replicas),
            config: ArcSwap::new(config),
            gone: AtomicBool::new(false),
            unsynced: Mutex::default(),
            copying: AtomicBool::new(false),
            flush_armed: AtomicBool::new(false),
            watchers: Watchers::default(),
            itself: Weak::clone(itself),
            shared,
        })
    }

    pub(super) fn name(&self) -> &PartitionName {
        &self.name
    }

    /// Where the log is now.
    pub(super) fn place(&self) -> Arc<Place> {
        self.place.load_full()
    }

    #[must_use]
    pub fn key(&self) -> PartitionKey {
        self.key
    }

    /// The log as it is now; another one, with the same records, once it was moved to another
    /// directory. What is written goes through this partition, not through the log.
    #[must_use]
    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.place.load().log)
    }

    #[must_use]
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    /// Takes note that somebody is told that everything before `end` is written, synced or not.
    pub fn acknowledged(&self, end: Offset) {
        if self.place.load().log.flushed_offset() < end {
            self.unsynced().acknowledged(end, self.shared.timers.now());
        }
    }

    /// Bytes that clients were told are written but that a crash may take, and how long the first
    /// of them has been waiting to be synced.
    #[must_use]
    pub fn at_risk(&self) -> (u64, Duration) {
        let log = self.log();
        let mut unsynced = self.unsynced();
        unsynced.synced(log.flushed_offset());
        match unsynced.age(self.shared.timers.now()) {
            Some(age) => (log.unsynced_bytes(), age),
            None => (0, Duration::ZERO),
        }
    }

    /// The end of what consumers see.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// The end of what `read_committed` consumers see: before the first record of a transaction
    /// that is open, or whose end is not committed.
    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        let high_watermark = self.high_watermark();
        self.place.load().log.last_stable_offset(high_watermark)
    }

    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// Whether the topic was deleted since this handle was taken.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether enough replicas are in sync for `acks=all`.
    #[must_use]
    pub fn has_enough_replicas(&self) -> bool {
        let wanted = self.config.load().min_insync_replicas;
        let in_sync = self.in_sync_replicas.load(Ordering::Relaxed);
        usize::try_from(wanted).is_ok_and(|wanted| in_sync >= wanted)
    }

    /// Compares what a client believes to be the leader epoch, -1 for no belief.
    ///
    /// # Errors
    /// It is older or newer than ours.
    pub fn check_epoch(&self, claimed: i32) -> Result<(), EpochError> {
        match claimed.cmp(&self.leader_epoch().0) {
            _ if claimed == LeaderEpoch::UNKNOWN.0 => Ok(()),
            std::cmp::Ordering::Less => Err(EpochError::Fenced),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(EpochError::Unknown),
        }
    }

    /// Writes a client's batch to the log, on the caller's thread, and has it synced if the
    /// topic's policy says so. Returns once it is written; [`Partition::committed`] waits for more.
    ///
    /// # Errors
    /// Nothing was appended, for a reason that the log gives.
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        self.append_as(Origin::Client, records, now)
    }

    /// The same for batches of another origin: a client's batch of a transaction that was verified,
    /// or a coordinator's batches, which are checked for damage and held to their producers'
    /// epochs only.
    ///
    /// # Errors
    /// Nothing was appended, for a reason that the log gives.
    pub fn append_as(
        self: &Arc<Self>,
        origin: Origin,
        records: Bytes,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let circumstances = self.circumstances(origin, now);
        let appended = self.write(|log| log.append(records, circumstances))?;
        self.appended(&appended);
        Ok(appended)
    }

    /// Ends a producer's transaction here, on the caller's thread, and returns the offset that has
    /// to be synced before that is certain: see [`Partition::synced`]. Readers of committed records
    /// see on once it is committed.
    ///
    /// # Errors
    /// Nothing was appended: the marker is of an epoch or of a coordinator that has passed, or the
    /// log cannot be written.
    pub fn append_marker(
        self: &Arc<Self>,
        marker: &EndMarker,
        transaction_version: i16,
        now: Timestamp,
    ) -> Result<Offset, AppendError> {
        let bumps = transaction_version >= FIRST_WITH_EPOCH_BUMPS;
        let circumstances = self.circumstances(Origin::Coordinator, now);
        let appended = self.write(|log| log.append_marker(marker, bumps, circumstances))?;
        self.appended(&appended);
        Ok(appended.last_offset.next())
    }

    /// Has something written to the log, or noted in it, which does not move meanwhile.
    pub fn write<T>(&self, act: impl FnOnce(&Log) -> T) -> T {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        act(&self.place.load().log)
    }

    /// Puts the log that `finish` makes in `target` in the place of this one, while nobody writes,
    /// and deletes this one, which may fail. `None` if the topic was deleted.
    pub(super) fn exchange_log(
        self: &Arc<Self>,
        target: &Arc<Volume>,
        finish: impl FnOnce(&Log) -> Result<Arc<Log>, ManagerError>,
    ) -> Result<Option<Result<DeletedPartition, ManagerError>>, ManagerError> {
        let left = {
            let _nobody_writes = self.moving.write().unwrap_or_else(PoisonError::into_inner);
            if self.is_gone() {
                return Ok(None);
            }
            let place = self.place();
            let log = finish(&place.log)?;
            self.place.store(Arc::new(Place { volume: Arc::clone(target), log }));
            // Before anything more is promised: a start must not take the old one for the log.
            place.volume.dir.delete(&self.name)
        };
        // Whoever waits for what was synced on the way is told.
        self.request_sync();
        Ok(Some(left))
    }

    /// Where the log is; once the partition has left, it stays there.
    pub(super) fn last_place(&self) -> Arc<Place> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        self.place()
    }

    pub(super) fn is_copying(&self) -> bool {
        self.copying.load(Ordering::Acquire)
    }

    pub(super) fn set_copying(&self, on: bool) {
        self.copying.store(on, Ordering::Release);
    }

    /// Resolves when everything before `end` is committed. `deadline` is on the monotonic clock.
    ///
    /// # Errors
    /// The time ran out, or the log cannot vouch for the records any more.
    pub async fn committed(
        self: &Arc<Self>,
        end: Offset,
        deadline: Duration,
    ) -> Result<(), Uncommitted> {
        self.settled(deadline, move |it| it.high_watermark() >= end).await
    }

    /// Resolves when everything before `end` is committed and survives a crash, whatever the
    /// topic's policy is, and has it synced if the policy does not. `deadline` is on the monotonic
    /// clock.
    ///
    /// # Errors
    /// As [`Partition::committed`].
    pub async fn synced(
        self: &Arc<Self>,
        end: Offset,
        deadline: Duration,
    ) -> Result<(), Uncommitted> {
        if self.config.load().flush_policy != FlushPolicy::Ack {
            self.request_sync();
        }
        let is_synced = move |it: &Self| {
            it.high_watermark() >= end && it.place.load().log.flushed_offset() >= end
        };
        self.settled(deadline, is_synced).await
    }

    /// Finds records from `from` on, within the limits; `None` if there are none yet.
    ///
    /// # Errors
    /// `from` is outside the log, or the log cannot be read.
    pub fn read(&self, from: i64, limits: ReadLimits) -> Result<Option<ReadResult>, ReadError> {
        self.read_as(Isolation::ReadUncommitted, from, limits)
    }

    /// The same for a reader with this isolation level, whose upper limit is no further than
    /// [`Partition::visible_end`].
    ///
    /// # Errors
    /// As [`Partition::read`].
    pub fn read_as(
        &self,
        isolation: Isolation,
        from: i64,
        limits: ReadLimits,
    ) -> Result<Option<ReadResult>, ReadError> {
        self.ask(|log| {
            // A partition with nothing new, the common case in a large session, is not searched.
            let (start, end) = log.bounds();
            if from < start.0 || from > end.0 {
                return Err(ReadError::OutOfRange { requested: Offset(from), start, end });
            }
            if from >= limits.upper.0 || (limits.max_bytes == 0 && !limits.at_least_one) {
                return Ok(None);
            }
            match isolation {
                Isolation::ReadUncommitted => log.read(Offset(from), limits).map(Some),
                Isolation::ReadCommitted => log.read_committed(Offset(from), limits).map(Some),
            }
        })
    }

    /// What `question` finds in the log; asked again if another one took its place meanwhile, as
    /// the one that was left is offline, although nothing is lost.
    pub fn ask<T>(&self, question: impl Fn(&Log) -> T) -> T {
        loop {
            let place = self.place();
            let answer = question(&place.log);
            if Arc::ptr_eq(&place, &self.place.load()) {
                return answer;
            }
        }
    }

    /// Whether a client that has read up to `from`, the last record of which was of `epoch`, has
    /// read something else than what is here (KIP-320). If so, where the two logs part at the
    /// latest.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] where that cannot be told.
    pub fn divergence(&self, epoch: LeaderEpoch, from: i64) -> Result<Option<EpochEnd>, ReadError> {
        let start = self.log().start_offset();
        let known = self.log().end_offset_for_epoch(epoch).filter(|_| from >= start.0);
        let known = known.ok_or_else(|| {
            let end = self.log().end_offset();
            ReadError::OutOfRange { requested: Offset(from), start, end }
        })?;
        Ok(Some(known).filter(|known| known.epoch < epoch || known.end.0 < from))
    }

    /// The end of what a client with this isolation level sees.
    #[must_use]
    pub fn visible_end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => self.high_watermark(),
            Isolation::ReadCommitted => self.last_stable_offset(),
        }
    }

    /// Puts other settings in force, from the next operation on.
    pub(super) fn set_config(&self, config: Arc<TopicConfig>, log: Arc<LogConfig>) {
        self.write(|it| it.set_config(log));
        self.config.store(config);
        match (self.config.load().flush_policy, self.itself.upgrade()) {
            // What the old policy left unsynced is no less safe than what comes from now on.
            (FlushPolicy::Ack, Some(partition)) => partition.request_sync(),
            (FlushPolicy::Ack, None) => {}
            // What the old policy made wait may be committed under the new one.
            (FlushPolicy::Interval | FlushPolicy::Os, _) => {
                self.advance(self.log().end_offset());
            }
        }
    }

    pub(super) fn set_leadership(&self, leadership: Leadership) {
        self.write(|log| log.assign_epoch(leadership.leader_epoch));
        self.leader_epoch.store(leadership.leader_epoch.0, Ordering::Release);
        self.in_sync_replicas.store(leadership.in_sync_replicas, Ordering::Relaxed);
        self.changed();
    }

    /// To be called when the log begins elsewhere: who follows it in a fetch session is told with
    /// the next answer, for which nobody is woken.
    pub(super) fn changed(&self) {
        self.watchers.tell(|_| ());
    }

    /// Ends every operation that waits for this partition.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
        self.wake();
    }

    /// Resolves when `is_reached` holds, or never will.
    async fn settled(
        self: &Arc<Self>,
        deadline: Duration,
        is_reached: impl Fn(&Self) -> bool + Copy + Send + Sync + 'static,
    ) -> Result<(), Uncommitted> {
        if let Some(fate) = self.fate(is_reached) {
            return fate;
        }
        let partition = Arc::clone(self);
        let decided = move || partition.fate(is_reached).is_some();
        self.shared.commits.watch_until([self.key], deadline, decided).await;
        self.fate(is_reached).unwrap_or(Err(Uncommitted::TimedOut))
    }

    /// What became of the wait for something, once that is decided.
    fn fate(&self, is_reached: impl Fn(&Self) -> bool) -> Option<Result<(), Uncommitted>> {
        if is_reached(self) {
            Some(Ok(()))
        } else if self.is_gone() {
            Some(Err(Uncommitted::Gone))
        } else if self.ask(|log| log.offline().is_some()) {
            Some(Err(Uncommitted::Offline))
        } else {
            None
        }
    }

    fn circumstances(&self, origin: Origin, now: Timestamp) -> Append {
        Append { origin, leader_epoch: self.leader_epoch(), now }
    }

    /// Has what was appended synced if the topic's policy says so, or shows it at once.
    fn appended(self: &Arc<Self>, appended: &Appended) {
        let config = self.config.load();
        let end = appended.last_offset.next();
        match config.flush_policy {
            FlushPolicy::Ack => self.request_sync(),
            FlushPolicy::Os => {
                self.acknowledged(end);
                self.advance(end);
            }
            FlushPolicy::Interval => {
                self.acknowledged(end);
                self.advance(end);
                self.flush_in_time(&config, end);
            }
        }
    }

    /// Whether the high watermark was lower.
    fn advance(&self, end: Offset) -> bool {
        if self.high_watermark() >= end {
            return false;
        }
        // Who was told that its records are committed finds them in its fetch session, too.
        let _changing = self.watchers.change();
        let rises = self.high_watermark.fetch_max(end.0, Ordering::AcqRel) < end.0;
        if rises {
            self.place.load().log.on_high_watermark(end);
            self.wake();
        }
        rises
    }

    fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.shared.commits.notify(&self.key);
        let fetches = &self.shared.fetches;
        fetches.notify(&FetchKey::Partition(self.key));
        self.watchers.tell(|session| {
            fetches.notify(&FetchKey::Session(session.session_id()));
        });
    }

    fn request_sync(self: &Arc<Self>) {
        self.place.load().volume.syncer.request(self);
    }

    /// Has the log synced when `flush.messages` are waiting for it, or else `flush.ms` from now.
    fn flush_in_time(self: &Arc<Self>, config: &TopicConfig, end: Offset) {
        if end.0 - self.log().flushed_offset().0 >= config.flush_messages {
            self.request_sync();
        } else if let Ok(flush_ms) = u64::try_from(config.flush_ms)
            && config.flush_ms < i64::MAX
        {
            self.flush_after(Duration::from_millis(flush_ms));
        }
    }

    fn flush_after(self: &Arc<Self>, delay: Duration) {
        if !self.flush_armed.swap(true, Ordering::AcqRel) {
            let timers = &self.shared.timers;
            let due = timers.now().saturating_add(delay);
            timers.arm(due, Arc::clone(self) as Arc<dyn Expire>);
        }
    }
}

/// One that was deleted has nothing more to tell.
impl Watched for Weak<Partition> {
    fn watch(&self, changes: &Arc<Changes>, place: usize) {
        if let Some(partition) = self.upgrade() {
            partition.watchers.add(changes, place);
        }
    }

    fn unwatch(&self, changes: &Arc<Changes>) {
        if let Some(partition) = self.upgrade() {
            partition.watchers.remove(changes);
        }
    }

    fn is_changing(&self) -> bool {
        self.upgrade().is_some_and(|partition| partition.watchers.is_changing())
    }
}

/// The interval of `flush.ms` is over, or there may be a descriptor to sync with again.
impl Expire for Partition {
    fn expire(&self) {
        self.flush_armed.store(false, Ordering::Release);
        if let Some(partition) = self.itself.upgrade() {
            partition.request_sync();
        }
    }
}

impl Flushed for Partition {
    fn log(&self) -> Arc<Log> {
        Self::log(self)
    }

    fn flushed(&self, outcome: Result<Offset, FlushError>) {
        match outcome {
            Ok(end) => {
                self.unsynced().synced(end);
                if !self.advance(end) {
                    // Shown before, but somebody may have waited for the sync.
                    self.shared.commits.notify(&self.key);
                }
            }
            // Whoever waits for more than is synced waits in vain.
            Err(FlushError::Offline(_)) => self.wake(),
            Err(FlushError::NoDescriptor) => {
                if let Some(partition) = self.itself.upgrade() {
                    partition.flush_after(SYNC_AGAIN_AFTER);
                }
            }
        }
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// What a partition is made of.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) topic: Str,
    pub(super) topic_id: Uuid,
    pub(super) name: PartitionName,
    pub(super) key: PartitionKey,
    pub(super) place: Place,
    pub(super) leadership: Leadership,
    pub(super) config: Arc<TopicConfig>,
}

/// A log, and the directory that it is in.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) volume: Arc<Volume>,
    pub(super) log: Arc<Log>,
}

/// A log directory, and the one thread that syncs what is written to it: a slow disk holds up no
/// other.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) dir: Arc<Manager>,
    pub(super) syncer: Syncer,
    /// It was taken, but could not be read when its logs were looked for.
    failed: AtomicBool,
}

impl Volume {
    pub(super) fn new(dir: Arc<Manager>, syncer: Syncer) -> Self {
        Self { dir, syncer, failed: AtomicBool::new(false) }
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// What all partitions of a broker share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) timers: Arc<Timers>,
    /// Whoever waits for what it wrote to be committed, or synced.
    pub(super) commits: Arc<Waiting>,
    /// Fetch requests that wait for records.
    pub(super) fetches: Arc<Purgatory<FetchKey>>,
}

/// Whether records of open transactions are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

impl Isolation {
    /// Kafka takes any number but 1 for the weaker level.
    #[must_use]
    pub fn from_wire(level: i8) -> Self {
        if level == 1 { Self::ReadCommitted } else { Self::ReadUncommitted }
    }
}

/// Why an append was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncommitted {
    TimedOut,
    /// The log took a fault; whether the records survive is not known.
    Offline,
    /// The topic was deleted.
    Gone,
}

/// A client's idea of the leader epoch is not ours (KIP-320).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochError {
    Fenced,
    Unknown,
}

/// A connection or another that has files open may be gone by then.
const SYNC_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// KIP-890's second part: a marker bumps its producer's epoch.
const FIRST_WITH_EPOCH_BUMPS: i16 = 2;
