//! One partition's log: segments in order, appended at one end and deleted at the other.
//!
//! Locks, in the order in which they are taken; none but the first three is held during I/O:
//! `trimming` (one takes files away from the front, and nobody ends the log meanwhile), `writer` (one appends, rolls, truncates or deletes), `flushing` (one syncs), `state` (what
//! readers see), `epochs`. A reader takes `state` for a moment, copies what it needs and works on
//! files that stay open for as long as it holds them.

mod append;
mod check;
mod compact;
pub(crate) mod config;
pub(crate) mod error;
mod find;
pub(crate) mod producing;
mod read;
pub(crate) mod state;
mod sync;
mod transactions;
mod trim;

use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use milena_protocol::{LeaderEpoch, Offset, Timestamp};
use tracing::error;

pub use self::{
    append::{Append, Appended, Origin},
    config::LogConfig,
    error::{AppendError, FlushError, FoundOffset, InvalidBatch, Offline, ReadError, RecordError},
    read::{ReadLimits, ReadResult},
    state::OpenLog,
    trim::{DeletedSegment, TrimError},
};
use self::{
    state::{Epochs, Mark, State, Writer},
    transactions::Stability,
};
use crate::{
    epochs::EpochEnd,
    fs::Disk,
    producers::ProducerStates,
    recovery::{self, Loaded, OpenError, Recovered},
    segment::{Context, IndexSizes, Segment},
};

/// Safe to share; appends to different logs have nothing in common. Reads never wait for an
/// append's write nor for a sync.
pub struct Log {
    disk: Arc<dyn Disk>,
    dir: Arc<Path>,
    config: RwLock<Arc<LogConfig>>,
    /// Segments that are no longer part of the log, but whose files still have their names.
    trimming: Mutex<Vec<Arc<Segment>>>,
    writer: Mutex<Writer>,
    flushing: Mutex<()>,
    state: RwLock<State>,
    epochs: RwLock<Epochs>,
    stability: Stability,
    /// Below, compaction may have taken records.
    gaps_below: AtomicI64,
    offline: OnceLock<Offline>,
    /// In order: nothing may be written any more.
    closed: AtomicBool,
    /// Files were written, made or taken away since the start made sure of them.
    touched: AtomicBool,
    /// A syncer has this log in its queue.
    awaits_sync: AtomicBool,
}

impl Log {
    /// Opens the log in `dir`, or begins one there, after making sure of everything that a crash
    /// may have left behind.
    ///
    /// # Errors
    /// Damage that no crash explains is named and nothing is changed.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: Arc<LogConfig>,
        open: OpenLog,
    ) -> Result<(Self, Recovered), OpenError> {
        let dir: Arc<Path> = dir.into();
        let loaded = recovery::load(&disk, &dir, &config, open)?;
        let report = loaded.report;
        let log = Self::of(disk, dir, config, loaded);
        log.gaps_below.store(open.gaps_below.0, Ordering::Release);
        // Of a log that is empty nothing but its name can be lost.
        let has_bytes = log.size_bytes() > 0;
        let was_mended = !open.clean_stop || report.indexes_rebuilt > 0;
        log.touched.store(has_bytes && was_mended || report.leftovers > 0, Ordering::Release);
        Ok((log, report))
    }

    /// Begins a log in a directory that has just been made. What it consists of is durable once
    /// the caller has synced the directory.
    ///
    /// # Errors
    /// What the disk reports.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: Arc<LogConfig>,
        now: Timestamp,
    ) -> io::Result<Self> {
        let dir: Arc<Path> = dir.into();
        let (base, sizes) = (Offset::ZERO, IndexSizes::of(&config));
        let active = Arc::new(Segment::create(&disk, &dir, base, sizes, now)?);
        let end = Mark { offset: base, segment: base, position: 0 };
        let state = State {
            segments: vec![Arc::clone(&active)],
            start: base,
            end,
            flushed: end,
            unsynced: Vec::new(),
            directory_unsynced: false,
        };
        let producers = ProducerStates::new(config.producer_expiration_ms);
        let writer = Writer { active, position: 0, snapshot_at: 0, next: base, producers };
        let (epochs, report) = (Epochs::default(), Recovered::default());
        Ok(Self::of(disk, dir, config, Loaded { writer, state, epochs, report }))
    }

    fn of(disk: Arc<dyn Disk>, dir: Arc<Path>, config: Arc<LogConfig>, loaded: Loaded) -> Self {
        Self {
            disk,
            dir,
            config: RwLock::new(config),
            trimming: Mutex::default(),
            stability: Stability::of(&loaded.writer.producers),
            writer: Mutex::new(loaded.writer),
            flushing: Mutex::new(()),
            state: RwLock::new(loaded.state),
            epochs: RwLock::new(loaded.epochs),
            gaps_below: AtomicI64::new(0),
            offline: OnceLock::new(),
            closed: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            awaits_sync: AtomicBool::new(false),
        }
    }

    /// Where the files are; the name was given by whoever opened the log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_config(&self, config: Arc<LogConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The first offset that may be read.
    pub fn start_offset(&self) -> Offset {
        self.state().start
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.state().end.offset
    }

    /// Start and end at one moment.
    pub fn bounds(&self) -> (Offset, Offset) {
        let state = self.state();
        (state.start, state.end.offset)
    }

    /// Everything below survives a crash.
    pub fn flushed_offset(&self) -> Offset {
        self.state().flushed.offset
    }

    /// Whether there is anything that a crash would take.
    pub fn is_dirty(&self) -> bool {
        let state = self.state();
        state.flushed.offset < state.end.offset || state.directory_unsynced
    }

    /// Bytes that a crash would take, or as many more as a segment has.
    pub fn unsynced_bytes(&self) -> u64 {
        let state = self.state();
        let behind = state.segments.iter().filter(|it| it.base >= state.flushed.segment);
        let held: u64 = behind.map(|segment| segment.size()).sum();
        held.saturating_sub(state.flushed.position)
    }

    /// Bytes of all segments, indexes not counted.
    pub fn size_bytes(&self) -> u64 {
        self.state().segments.iter().map(|segment| segment.size()).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.state().segments.len()
    }

    /// The last leader that wrote here, or began to.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs().cache.latest().map(|entry| entry.epoch)
    }

    /// The epoch of the record at `offset`, if that is known.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs().cache.epoch_of(offset)
    }

    /// Where the records of the greatest epoch at or below `epoch` end (OffsetForLeaderEpoch).
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let end = self.end_offset();
        self.epochs().cache.end_offset_for(epoch, end)
    }

    /// A leader of this epoch begins at the end of the log.
    pub fn assign_epoch(&self, epoch: LeaderEpoch) {
        let writer = self.writer();
        if self.latest_epoch() == Some(epoch) {
            return;
        }
        let mut epochs = self.epochs_mut();
        let count = epochs.cache.entries().len();
        if epochs.cache.assign(epoch, writer.next) {
            let drops_others = epochs.cache.entries().len() <= count;
            epochs.dirty |= drops_others;
            epochs.has_begun = true;
        }
    }

    /// From here on no record is missing, other than by damage.
    fn gaps_below(&self) -> Offset {
        if self.config().compact { Offset(i64::MAX) } else { self.noted_gaps() }
    }

    /// The same as far as is known, which for as long as compaction goes on is not for good.
    pub(crate) fn noted_gaps(&self) -> Offset {
        Offset(self.gaps_below.load(Ordering::Acquire))
    }

    /// What batches are held against.
    fn context(&self, gaps_below: Offset) -> Context {
        Context { gaps_below, epochs: self.epochs().cache.clone() }
    }

    /// Why the log takes no more, if it does not.
    pub fn offline(&self) -> Option<Offline> {
        self.offline.get().cloned()
    }

    /// The partition is gone: nothing is written any more, whoever still holds the log.
    pub(crate) fn retire(&self) {
        // Behind an append, a roll or a deletion that has begun.
        let _trimming = self.trimming();
        let _writer = self.writer();
        self.offline.get_or_init(|| Offline("the partition was deleted".into()));
    }

    pub(crate) fn set_awaits_sync(&self, on: bool) -> bool {
        self.awaits_sync.swap(on, Ordering::AcqRel)
    }

    /// There are records of `epoch` from `start` on.
    fn note_epoch(&self, epoch: LeaderEpoch, start: Offset) {
        let is_known = {
            let epochs = self.epochs();
            let latest = epochs.cache.latest();
            !epochs.has_begun && latest.is_some_and(|latest| latest.epoch == epoch)
        };
        if is_known {
            return;
        }
        let mut epochs = self.epochs_mut();
        let news = epochs.cache.assign(epoch, start);
        epochs.dirty |= news || epochs.has_begun;
        epochs.has_begun = false;
    }

    /// The writer, if there is anything to write to. Once a partition is deleted its directory may
    /// be another one's, so this is asked with the writer in hand: whoever ends a log waits for it.
    fn open_writer(&self) -> Result<MutexGuard<'_, Writer>, Offline> {
        let writer = self.writer();
        if self.closed.load(Ordering::Acquire) {
            return Err(Offline("it was closed".into()));
        }
        self.check_online()?;
        Ok(writer)
    }

    /// To be called before files are written, made or taken away.
    fn touch(&self) {
        self.touched.store(true, Ordering::Release);
    }

    fn check_online(&self) -> Result<(), Offline> {
        self.offline.get().map_or(Ok(()), |offline| Err(offline.clone()))
    }

    /// The first reason stays, and is told; what fails in a log that was deleted is no news.
    fn go_offline(&self, reason: fmt::Arguments<'_>) -> Offline {
        let told = || {
            let offline = Offline(reason.to_string().into());
            error!(dir = %self.dir.display(), %offline, "log goes offline");
            offline
        };
        self.offline.get_or_init(told).clone()
    }

    fn trimming(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.trimming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn epochs(&self) -> RwLockReadGuard<'_, Epochs> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn epochs_mut(&self) -> RwLockWriteGuard<'_, Epochs> {
        self.epochs.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "Log({}, {}..{})", self.dir.display(), state.start.0, state.end.offset.0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
