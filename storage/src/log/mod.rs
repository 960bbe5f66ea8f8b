//! One partition's log: segments in order, appended at one end and deleted at the other.
//!
//! Locks, in the order in which they are taken; none but the first three is held during I/O:
//! `trimming` (one takes files away from the front, and nobody ends the log meanwhile), `writer` (one appends, rolls, truncates or deletes), `flushing` (one syncs), `state` (what
//! readers see), `epochs`. A reader takes `state` for a moment, copies what it needs and works on
//! files that stay open for as long as it holds them.

mod append;
mod check;
mod compact;
mod config;
mod error;
mod find;
pub(crate) mod producing;
mod read;
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
use tracing::{error, warn};

use self::transactions::Stability;
pub use self::{
    append::{Append, Appended, Origin},
    config::LogConfig,
    error::{AppendError, FlushError, FoundOffset, InvalidBatch, Offline, ReadError, RecordError},
    read::{ReadLimits, ReadResult},
    trim::{DeletedSegment, TrimError},
};
use crate::{
    epochs::{EpochCache, EpochEnd},
    fs::Disk,
    planted::{Bug, is_planted},
    producers::ProducerStates,
    recovery::{self, OpenError, Recovered},
    segment::Segment,
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
    /// A syncer has this log in its queue.
    awaits_sync: AtomicBool,
}

/// What is known about a log before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenLog {
    /// Everything below was synced, and is believed.
    pub recovery_point: Offset,
    /// Where the log began when that was last noted.
    pub log_start: Offset,
    /// Below, records may be missing that compaction has dropped.
    pub cleaned_to: Offset,
    /// The log was closed in order: nothing was written since the recovery point was noted.
    pub clean_stop: bool,
    pub now: Timestamp,
}

/// The end that is written to.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) active: Arc<Segment>,
    /// The active segment's length.
    pub(crate) position: u64,
    pub(crate) next: Offset,
    pub(crate) producers: ProducerStates,
}

/// What readers see.
#[derive(Debug)]
pub(crate) struct State {
    /// By base offset; the last one is active. Never empty.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start: Offset,
    pub(crate) end: Mark,
    /// Everything below survives a crash.
    pub(crate) flushed: Mark,
    /// Sealed since the last sync.
    pub(crate) unsynced: Vec<Arc<Segment>>,
    /// Files were made or renamed since the directory was last synced.
    pub(crate) directory_unsynced: bool,
}

/// An offset at which a batch begins or the log ends, and where that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: Offset,
    /// Base of the segment that holds it, or would.
    pub(crate) segment: Offset,
    pub(crate) position: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Epochs {
    pub(crate) cache: EpochCache,
    /// Not saved since the last change.
    pub(crate) dirty: bool,
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
        let log = Self {
            disk,
            dir,
            config: RwLock::new(config),
            trimming: Mutex::default(),
            stability: Stability::of(&loaded.writer.producers),
            writer: Mutex::new(loaded.writer),
            flushing: Mutex::new(()),
            state: RwLock::new(loaded.state),
            epochs: RwLock::new(loaded.epochs),
            gaps_below: AtomicI64::new(open.cleaned_to.0),
            offline: OnceLock::new(),
            closed: AtomicBool::new(false),
            awaits_sync: AtomicBool::new(false),
        };
        Ok((log, loaded.report))
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
        self.note_epoch(epoch, writer.next);
    }

    /// Whether no record is missing from `offset` to the end, other than by damage.
    fn is_whole_from(&self, offset: Offset) -> bool {
        !self.config().compact && offset.0 >= self.gaps_below.load(Ordering::Acquire)
    }

    /// Why the log takes no more, if it does not.
    pub fn offline(&self) -> Option<Offline> {
        self.offline.get().cloned()
    }

    /// Syncs what was appended before this call, and returns where that ends. Many may call; one
    /// syncs while the others wait for their turn.
    ///
    /// # Errors
    /// The log is offline from then on.
    pub fn flush(&self) -> Result<Offset, FlushError> {
        self.sync(true)
    }

    /// Syncs the segments that are no longer written: enough, where records are left to the
    /// page cache, to keep what a crash has to read again to about one segment.
    ///
    /// # Errors
    /// The log is offline from then on.
    pub fn flush_sealed(&self) -> Result<Offset, FlushError> {
        self.sync(false)
    }

    fn sync(&self, with_active: bool) -> Result<Offset, FlushError> {
        let _turn = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_online().map_err(FlushError)?;
        let (target, active, sealed, directory) = {
            let mut state = self.state_mut();
            let directory = std::mem::take(&mut state.directory_unsynced);
            let sealed = std::mem::take(&mut state.unsynced);
            let active = state.segments.last().map(Arc::clone);
            match active {
                Some(active) if !with_active => {
                    let begin = Mark { offset: active.base, segment: active.base, position: 0 };
                    // An active segment may begin behind a gap, where the log has not come to yet.
                    let target = if begin.offset <= state.end.offset { begin } else { state.end };
                    (target, None, sealed, directory)
                }
                active => {
                    let dirty = state.flushed.offset < state.end.offset;
                    (state.end, active.filter(|_| dirty), sealed, directory)
                }
            }
        };
        let directory = directory && !is_planted(Bug::DirectoryNotSynced);
        let synced = sealed
            .iter()
            .filter(|_| !is_planted(Bug::SealedNotSynced))
            .chain(active.iter().filter(|_| !is_planted(Bug::ActiveNotSynced)))
            .try_for_each(|segment| segment.sync())
            .and_then(|()| if directory { self.disk.sync_dir(&self.dir) } else { Ok(()) });
        if let Err(error) = synced
            && !is_planted(Bug::FailedSyncIgnored)
        {
            return Err(FlushError(self.go_offline(format_args!("sync failed: {error}"))));
        }
        for segment in &sealed {
            // A hint that does not survive is missed, not needed; a full disk is no fault.
            if let Err(error) = segment.sync_indexes() {
                warn!(dir = %self.dir.display(), base = segment.base.0, %error, "index not synced");
            }
        }
        let mut state = self.state_mut();
        if target.offset >= state.flushed.offset {
            state.flushed = target;
        }
        Ok(state.flushed.offset)
    }

    /// Syncs everything, and saves what makes the next start a quick one. The log is not used
    /// afterwards.
    ///
    /// # Errors
    /// What could not be saved is worked out again when the log is opened, unless it was the
    /// records themselves.
    pub fn close(&self) -> Result<Offset, FlushError> {
        let mut writer = self.writer();
        let flushed = self.flush()?;
        let saved = self
            .save_epochs()
            .and_then(|()| writer.active.sync_all())
            .and_then(|()| self.save_all_aborted(flushed))
            .and_then(|()| writer.producers.take_snapshot(&*self.disk, &self.dir));
        match saved {
            Ok(_) => {
                self.closed.store(true, Ordering::Release);
                Ok(flushed)
            }
            Err(error) => Err(FlushError(self.go_offline(format_args!("close failed: {error}")))),
        }
    }

    /// The partition is gone: nothing is written any more, whoever still holds the log.
    pub(crate) fn retire(&self) {
        // Behind an append, a roll or a deletion that has begun.
        let _trimming = self.trimming();
        let _writer = self.writer();
        self.offline.get_or_init(|| Offline("the partition was deleted".into()));
    }

    /// The offset below which nothing needs to be read again after a crash, once it is noted.
    ///
    /// # Errors
    /// Epochs or aborted transactions could not be saved; an earlier recovery point stays right.
    pub fn recovery_point(&self) -> io::Result<Offset> {
        let flushed = if is_planted(Bug::RecoveryPointTooHigh) {
            self.end_offset()
        } else {
            self.flushed_offset()
        };
        self.save_epochs()?;
        self.save_aborted(flushed)
    }

    pub(crate) fn set_awaits_sync(&self, on: bool) -> bool {
        self.awaits_sync.swap(on, Ordering::AcqRel)
    }

    fn save_epochs(&self) -> io::Result<()> {
        // Held during the write, which is rare and small: two savers must not cross.
        let mut epochs = self.epochs_mut();
        if epochs.dirty {
            epochs.cache.save(&*self.disk, &self.dir)?;
            epochs.dirty = false;
        }
        Ok(())
    }

    fn note_epoch(&self, epoch: LeaderEpoch, start: Offset) {
        if self.epochs().cache.latest().is_some_and(|latest| latest.epoch == epoch) {
            return;
        }
        let mut epochs = self.epochs_mut();
        let news = epochs.cache.assign(epoch, start);
        epochs.dirty |= news;
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
