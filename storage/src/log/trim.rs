//! Making a log shorter: from the front by retention and delete-records, from the end by
//! truncation.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use milena_protocol::{Offset, Timestamp};
use tracing::{info, warn};

use super::{
    Log, Offline, ReadError,
    read::read_error,
    state::{Mark, Writer},
};
use crate::{
    fs::Disk,
    producers::{self, ProducerStates},
    recovery,
    retention::{Moment, SegmentFacts, expired},
    segment::{
        Bounds, IndexSizes, Segment,
        name::{DELETED, Kind},
    },
};

/// A segment that is no longer part of its log. Its files have the suffix `.deleted`, under which
/// the next start would remove them; whoever reads from it still can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedSegment {
    pub base: Offset,
    pub bytes: u64,
    files: Vec<PathBuf>,
}

impl DeletedSegment {
    /// Frees the space; due once `file.delete.delay.ms` has passed.
    ///
    /// # Errors
    /// Whatever the disk reports; the next start tries again.
    pub fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        for file in &self.files {
            match disk.remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why a log could not be made shorter.
#[derive(Debug)]
pub enum TrimError {
    OutOfRange {
        requested: Offset,
        start: Offset,
        end: Offset,
    },
    /// The log is left as it was, or shorter than asked for, but whole.
    Io(io::Error),
    Corrupt(ReadError),
    Offline(Offline),
}

impl Log {
    /// Lets the log begin at `to` (delete-records). The caller has checked that this is not above
    /// the high watermark, and notes the new start before it answers for it; segments that lie
    /// wholly below are given back.
    ///
    /// # Errors
    /// [`TrimError::OutOfRange`] above the log's end. A start that lies before the present one
    /// changes nothing.
    pub fn advance_start(&self, to: Offset) -> Result<Vec<DeletedSegment>, TrimError> {
        let mut leaving = self.trimming();
        let mut writer = self.open_writer()?;
        {
            let mut state = self.state_mut();
            let (start, end) = (state.start, state.end.offset);
            if to > end {
                return Err(TrimError::OutOfRange { requested: to, start, end });
            }
            if to <= start {
                return Ok(Vec::new());
            }
            state.start = to;
        }
        writer.producers.on_log_start(to);
        self.stability.publish(&writer.producers);
        self.trim_epochs(|cache| cache.truncate_from_start(to));
        let below = {
            let state = self.state();
            let following = state.segments.iter().skip(1);
            following.take_while(|segment| segment.base <= to).count()
        };
        self.take_oldest(below, &mut leaving);
        drop(writer);
        Ok(self.delete_all(&mut leaving))
    }

    /// Deletes the segments that the topic's retention no longer keeps; nothing at or above the
    /// high watermark. The log's start moves with them.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn retain(
        &self,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<Vec<DeletedSegment>, TrimError> {
        let config = self.config();
        let mut leaving = self.trimming();
        let mut writer = self.open_writer()?;
        writer.producers.set_expiration_ms(config.producer_expiration_ms);
        writer.producers.expire(now);
        let (facts, moment) = {
            let state = self.state();
            let facts: Vec<SegmentFacts> = state.segments.iter().map(|it| facts(it)).collect();
            let (log_start, log_end) = (state.start, state.end.offset);
            (facts, Moment { now, high_watermark, log_start, log_end })
        };
        let expired = expired(&facts, &config, moment);
        let mut count = expired.total();
        if count > 0 && count == facts.len() {
            let base = writer.next;
            if let Err(error) = self.roll(&mut writer, base, &config, now) {
                // On a full disk the others going is what makes room.
                warn!(dir = %self.dir.display(), %error, "the active segment stays");
                count -= 1;
            }
        }
        if count == 0 {
            drop(writer);
            return Ok(self.delete_all(&mut leaving));
        }
        let start = facts.get(count).map_or(writer.next, |kept| kept.base);
        {
            let mut state = self.state_mut();
            state.start = state.start.max(start);
        }
        writer.producers.on_log_start(start);
        self.stability.publish(&writer.producers);
        self.trim_epochs(|cache| cache.truncate_from_start(start));
        info!(dir = %self.dir.display(), start = start.0, by_time = expired.by_time,
            by_size = expired.by_size, below_start = expired.below_start, "segments expired");
        self.take_oldest(count, &mut leaving);
        drop(writer);
        Ok(self.delete_all(&mut leaving))
    }

    /// Drops every batch that reaches `offset` or beyond, so that the log ends at or before it.
    /// What was noted of the recovery point must not be above `offset` when this is called:
    /// see [`crate::manager::Manager::truncate_to`].
    ///
    /// # Errors
    /// [`TrimError::OutOfRange`] below the log's start: [`Log::truncate_fully`] is for that. An
    /// offset at or behind the end changes nothing. A truncation that fails half-way takes the log
    /// offline: its writer would go on in a segment that is gone.
    pub fn truncate_to(&self, offset: Offset, now: Timestamp) -> Result<(), TrimError> {
        let _trimming = self.trimming();
        let mut writer = self.open_writer()?;
        let _turn = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let (segments, start, end) = {
            let state = self.state();
            (state.segments.clone(), state.start, state.end.offset)
        };
        if offset >= end {
            return Ok(());
        }
        if offset < start {
            return Err(TrimError::OutOfRange { requested: offset, start, end });
        }
        let keep = segments.partition_point(|segment| segment.base <= offset).max(1);
        let Some(last) = keep.checked_sub(1).and_then(|at| segments.get(at)) else {
            return Ok(());
        };
        let named = |error| read_error(offset, last.base, error);
        let following = segments.get(keep).map_or(end, |following| following.base);
        let bounds = Bounds { position: last.size(), offset: following };
        let context = self.context(self.gaps_below());
        let cut = last.find_in_order(offset, bounds, &context).map_err(named)?;
        let position = cut.as_ref().map_or(last.size(), |batch| batch.position);
        let next = cut.map_or(offset, |batch| batch.header.base_offset);
        if next < start {
            // The batch that the log begins within goes, and with it everything.
            return self.begin_anew(&mut writer, start, now);
        }

        let mark = Mark { offset: next, segment: last.base, position };
        *writer = self.cut_behind(&segments, keep, mark, now).map_err(|error| {
            TrimError::Offline(self.go_offline(format_args!("truncation failed: {error}")))
        })?;
        self.stability.publish(&writer.producers);
        info!(dir = %self.dir.display(), from = end.0, to = next.0, "truncated");
        Ok(())
    }

    /// Whether nothing may be left if `offset` and all behind it goes: the log begins within a
    /// batch, and that may be the one that `offset` is in.
    pub(crate) fn may_end_before_start(&self, offset: Offset) -> bool {
        let state = self.state();
        let begins_within = state.segments.first().is_some_and(|first| first.base < state.start);
        begins_within && state.segments.get(1).is_none_or(|second| offset < second.base)
    }

    /// Drops everything; the log goes on at `new_start`. What was noted of the recovery point must
    /// not be above what was noted of the log's start when this is called.
    ///
    /// # Errors
    /// The log goes offline unless all of it went well.
    pub fn truncate_fully(&self, new_start: Offset, now: Timestamp) -> Result<(), TrimError> {
        let mut leaving = self.trimming();
        let mut writer = self.open_writer()?;
        let _turn = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is about to go may have the name of the one that is about to come.
        let left = std::mem::take(&mut *leaving);
        self.remove_files(&left)?;
        self.begin_anew(&mut writer, new_start, now)
    }

    /// Ends the log at `end`, in the last of the first `keep` segments; what it goes on with.
    fn cut_behind(
        &self,
        segments: &[Arc<Segment>],
        keep: usize,
        end: Mark,
        now: Timestamp,
    ) -> Result<Writer, ReadError> {
        let (kept, gone) = segments.split_at_checked(keep).unwrap_or((segments, &[]));
        let Some(last) = kept.last() else {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        };
        let named = |error| read_error(end.offset, end.segment, error);
        self.touch();
        // Readers first; then from the end, so that a crash leaves a log without gaps.
        self.show_truncated(keep, end);
        self.remove_files(gone)?;
        last.truncate(end.offset, end.position).map_err(named)?;
        last.sync_all()?;
        self.trim_epochs(|cache| cache.truncate_from_end(end.offset));
        let mut producers = ProducerStates::new(self.config().producer_expiration_ms);
        let bounds = (self.start_offset(), end.offset);
        recovery::replay(&*self.disk, &self.dir, kept, bounds, now, &mut producers)
            .map_err(named)?;
        // Nor may a snapshot come back that went before.
        self.disk.sync_dir(&self.dir)?;
        Ok(Writer {
            active: Arc::clone(last),
            position: end.position,
            snapshot_at: 0,
            next: end.offset,
            producers,
        })
    }

    /// Replaces all segments by an empty one.
    fn begin_anew(
        &self,
        writer: &mut Writer,
        new_start: Offset,
        now: Timestamp,
    ) -> Result<(), TrimError> {
        self.touch();
        let config = self.config();
        let sizes = IndexSizes::of(&config);
        let segments = self.state().segments.clone();
        let fresh = self
            .remove_files(&segments)
            .and_then(|()| producers::forget_snapshots(&*self.disk, &self.dir))
            .and_then(|()| Segment::create(&self.disk, &self.dir, new_start, sizes, now));
        let fresh = Arc::new(fresh.map_err(|error| {
            TrimError::Offline(self.go_offline(format_args!("truncation failed: {error}")))
        })?);
        self.trim_epochs(|cache| {
            let had_any = cache.latest().is_some();
            cache.clear();
            had_any
        });
        let mut producers = ProducerStates::new(config.producer_expiration_ms);
        producers.reset(new_start);
        let mark = Mark { offset: new_start, segment: new_start, position: 0 };
        {
            let mut state = self.state_mut();
            state.segments = vec![Arc::clone(&fresh)];
            (state.start, state.end, state.flushed) = (new_start, mark, mark);
            state.unsynced.clear();
            state.directory_unsynced = true;
        }
        *writer = Writer { active: fresh, position: 0, snapshot_at: 0, next: new_start, producers };
        self.stability.publish(&writer.producers);
        Ok(())
    }

    fn show_truncated(&self, keep: usize, end: Mark) {
        let mut state = self.state_mut();
        state.segments.truncate(keep);
        state.unsynced.retain(|segment| segment.base <= end.segment);
        state.end = end;
        if state.flushed.offset > end.offset {
            state.flushed = end;
        }
    }

    /// From the last to the first.
    fn remove_files(&self, segments: &[Arc<Segment>]) -> io::Result<()> {
        for segment in segments.iter().rev() {
            self.delete_files(segment)?.remove(&*self.disk)?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(())
    }

    fn trim_epochs(&self, trim: impl FnOnce(&mut crate::epochs::EpochCache) -> bool) {
        let mut epochs = self.epochs_mut();
        let changed = trim(&mut epochs.cache);
        epochs.dirty |= changed;
    }

    /// Takes the oldest segments out of the log; their files are to follow.
    fn take_oldest(&self, count: usize, leaving: &mut Vec<Arc<Segment>>) {
        let mut state = self.state_mut();
        let count = count.min(state.segments.len());
        let oldest: Vec<Arc<Segment>> = state.segments.drain(..count).collect();
        state.unsynced.retain(|other| !oldest.iter().any(|gone| gone.base == other.base));
        leaving.extend(oldest);
    }

    /// Takes away the files of segments that left the log, from the first so that a crash leaves
    /// no gap. What fails is tried again with the next that leave. Nobody who appends waits.
    fn delete_all(&self, leaving: &mut Vec<Arc<Segment>>) -> Vec<DeletedSegment> {
        let mut deleted = Vec::with_capacity(leaving.len());
        let mut failed = None;
        leaving.retain(|segment| {
            if failed.is_some() {
                return true;
            }
            let gone = self.delete_files(segment).map(|gone| deleted.push(gone));
            failed = gone.and_then(|()| self.disk.sync_dir(&self.dir)).err();
            failed.is_some()
        });
        if let Some(error) = failed {
            warn!(dir = %self.dir.display(), %error, "deleted segments still have their files");
        }
        deleted
    }

    /// Renames a segment's files; the log itself goes last, as it is what makes them a segment.
    fn delete_files(&self, segment: &Segment) -> io::Result<DeletedSegment> {
        self.delete_files_but(segment, None)
    }

    /// The same for all files but the one that `stays`.
    pub(super) fn delete_files_but(
        &self,
        segment: &Segment,
        stays: Option<Kind>,
    ) -> io::Result<DeletedSegment> {
        self.touch();
        let mut files = Vec::new();
        for kind in Kind::ALL.into_iter().rev().filter(|kind| Some(*kind) != stays) {
            let path = segment.path(kind);
            let mut gone = path.clone().into_os_string();
            gone.push(DELETED);
            let gone = PathBuf::from(gone);
            match self.disk.rename(&path, &gone) {
                Ok(()) => files.push(gone),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    warn!(file = %path.display(), %error, "segment file not deleted");
                    return Err(error);
                }
            }
        }
        segment.moved(DELETED);
        Ok(DeletedSegment { base: segment.base, bytes: segment.size(), files })
    }
}

fn facts(segment: &Segment) -> SegmentFacts {
    if segment.size() == 0 {
        // Nothing is in it, or nothing was left by compaction: it need not be kept for its age.
        return SegmentFacts { base: segment.base, bytes: 0, newest: Timestamp(i64::MIN) };
    }
    let newest = segment.newest().map(|newest| newest.timestamp);
    let newest = newest.filter(|&newest| newest > Timestamp::NONE).unwrap_or(segment.created());
    SegmentFacts { base: segment.base, bytes: segment.size(), newest }
}

impl fmt::Display for TrimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { requested, start, end } => {
                write!(f, "offset {} is outside {}..{}", requested.0, start.0, end.0)
            }
            Self::Io(error) => error.fmt(f),
            Self::Corrupt(error) => error.fmt(f),
            Self::Offline(offline) => offline.fmt(f),
        }
    }
}

impl std::error::Error for TrimError {}

impl From<io::Error> for TrimError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Offline> for TrimError {
    fn from(offline: Offline) -> Self {
        Self::Offline(offline)
    }
}

impl From<ReadError> for TrimError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error),
            ReadError::Offline(offline) => Self::Offline(offline),
            error => Self::Corrupt(error),
        }
    }
}
