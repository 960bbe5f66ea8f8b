//! Making what was written survive a crash, and noting how far that has come.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use milena_protocol::Offset;
use tracing::warn;

use super::{FlushError, Log, state::Mark};
use crate::{
    fs::is_out_of_descriptors,
    planted::{Bug, is_planted},
    producers,
    segment::{
        Segment,
        name::{self, Kind},
    },
};

impl Log {
    /// Syncs what was appended before this call, and returns where that ends. Many may call; one
    /// syncs while the others wait for their turn.
    ///
    /// # Errors
    /// The log is offline from then on.
    pub fn flush(&self) -> Result<Offset, FlushError> {
        self.sync(true).map_err(|error| self.give_up(error))
    }

    /// The same for whoever can wait: where nothing but a descriptor is lacking, the log goes on.
    ///
    /// # Errors
    /// [`FlushError::NoDescriptor`]: nothing is lost, and it may be tried again. Else the log is
    /// offline from then on.
    pub fn try_flush(&self) -> Result<Offset, FlushError> {
        self.sync(true)
    }

    /// Syncs the segments that are no longer written: enough, where records are left to the
    /// page cache, to keep what a crash has to read again to about one segment.
    ///
    /// # Errors
    /// The log is offline from then on.
    pub fn flush_sealed(&self) -> Result<Offset, FlushError> {
        self.sync(false).map_err(|error| self.give_up(error))
    }

    fn give_up(&self, error: FlushError) -> FlushError {
        match error {
            FlushError::Offline(_) => error,
            FlushError::NoDescriptor => {
                FlushError::Offline(self.go_offline(format_args!("sync failed: {error}")))
            }
        }
    }

    fn sync(&self, with_active: bool) -> Result<Offset, FlushError> {
        let _turn = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_online().map_err(FlushError::Offline)?;
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
            if is_out_of_descriptors(&error) {
                self.ask_again(sealed, directory);
                return Err(FlushError::NoDescriptor);
            }
            return Err(FlushError::Offline(self.go_offline(format_args!("sync failed: {error}"))));
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

    /// Leaves what could not be synced to the next sync, as far as it is still there.
    fn ask_again(&self, mut sealed: Vec<Arc<Segment>>, directory: bool) {
        let mut state = self.state_mut();
        sealed.retain(|it| state.segments.iter().any(|held| Arc::ptr_eq(held, it)));
        state.unsynced.splice(..0, sealed);
        state.directory_unsynced |= directory;
    }

    /// Syncs everything, and saves what makes the next start a quick one. Of a log that was not
    /// written to since it was opened there is nothing to do. The log is not used afterwards.
    ///
    /// # Errors
    /// What could not be saved is worked out again when the log is opened, unless it was the
    /// records themselves.
    pub fn close(&self) -> Result<Offset, FlushError> {
        let mut writer = self.writer();
        let flushed = self.flush()?;
        let touched = self.touched.load(Ordering::Acquire);
        let sync_all = || if touched { writer.active.sync_all() } else { Ok(()) };
        let save_aborted = || if touched { self.save_all_aborted(flushed) } else { Ok(()) };
        let saved = self.save_epochs().and_then(|()| sync_all()).and_then(|()| save_aborted());
        let saved = saved.and_then(|()| writer.producers.take_snapshot(&*self.disk, &self.dir));
        match saved {
            Ok(_) => {
                self.closed.store(true, Ordering::Release);
                Ok(flushed)
            }
            Err(error) => {
                Err(FlushError::Offline(self.go_offline(format_args!("close failed: {error}"))))
            }
        }
    }

    /// The offset below which nothing needs to be read again after a crash, once it is noted.
    ///
    /// # Errors
    /// What a start believes below it, epochs and lists, could not be saved; an earlier recovery
    /// point stays right.
    pub fn recovery_point(&self) -> io::Result<Offset> {
        let flushed = if is_planted(Bug::RecoveryPointTooHigh) {
            self.end_offset()
        } else {
            self.flushed_offset()
        };
        self.save_epochs()?;
        let point = self.save_lists(flushed)?;
        self.take_snapshot_if_due();
        Ok(point)
    }

    /// Makes durable, up to `flushed`, what is believed of a segment because nothing says
    /// otherwise: its times and its aborted transactions. Returns up to where that worked; a full
    /// disk may end it early.
    fn save_lists(&self, flushed: Offset) -> io::Result<Offset> {
        let saved = self.save_aborted(flushed)?;
        // Of those before it, all was synced before `flushed` passed them.
        let reached = {
            let state = self.state();
            let below = state.segments.partition_point(|segment| segment.base < saved);
            below.checked_sub(1).and_then(|at| state.segments.get(at)).map(Arc::clone)
        };
        let Some(reached) = reached else { return Ok(saved) };
        if let Err(error) = reached.write_indexes() {
            warn!(dir = %self.dir.display(), base = reached.base.0, %error, "index not written");
            return Ok(reached.base);
        }
        if !is_planted(Bug::TimesNotSynced) {
            reached.sync_times().map_err(|error| self.unsynced(&error))?;
        }
        if reached.aborts().sync_news().map_err(|error| self.unsynced(&error))? {
            self.disk.sync_dir(&self.dir).map_err(|error| self.unsynced(&error))?;
        }
        Ok(saved)
    }

    /// Lets the next start begin here with what producers have written, and not at the roll of the
    /// segment.
    fn take_snapshot_if_due(&self) {
        // Nobody truncates or deletes meanwhile.
        let _trimming = self.trimming();
        {
            let interval = self.config().segment_bytes / SNAPSHOTS_PER_SEGMENT_MAX;
            let Ok(mut writer) = self.open_writer() else { return };
            if writer.position.saturating_sub(writer.snapshot_at) < interval {
                return;
            }
            if let Err(error) = writer.producers.take_snapshot(&*self.disk, &self.dir) {
                warn!(dir = %self.dir.display(), %error, "no producer snapshot");
                return;
            }
            writer.snapshot_at = writer.position;
        }
        if let Err(error) = self.drop_snapshots_between() {
            warn!(dir = %self.dir.display(), %error, "old producer snapshots stay");
        }
    }

    /// Removes snapshots other than the newest and those at which segments begin. Of the newest one
    /// may be above the recovery point.
    fn drop_snapshots_between(&self) -> io::Result<()> {
        let mut taken = producers::list_snapshots(&*self.disk, &self.dir)?;
        taken.truncate(taken.len().saturating_sub(SNAPSHOTS_KEPT));
        let bases: Vec<Offset> = self.state().segments.iter().map(|it| it.base).collect();
        taken.retain(|at| bases.binary_search(at).is_err());
        for at in taken {
            self.disk.remove_file(&self.dir.join(name::file_name(at, Kind::Snapshot)))?;
        }
        Ok(())
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
}

/// One for each MiB by default: so much of a log does a start read for its producers, by headers,
/// where it was killed.
const SNAPSHOTS_PER_SEGMENT_MAX: u64 = 1024;
const SNAPSHOTS_KEPT: usize = 2;
