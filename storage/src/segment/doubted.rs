//! A segment that a crash may have damaged: what of its indexes is kept, and from where its batches
//! have to be looked at.

use std::{io, path::Path, sync::Arc};

use milena_protocol::{Offset, Timestamp};
use tracing::warn;

use super::{
    IndexSizes, Located, Progress, ScanError, Segment, aborts,
    name::{self, Kind},
};
use crate::{
    fs::{Disk, Mode},
    index::{Extent, OffsetIndex, OpenError, TimeEntry, TimeIndex, TransactionIndex},
};

/// A segment, and which of its lists, durable below the recovery point, are damaged there. They are
/// made anew beside the damaged files, which stay for as long as that takes: the next start must
/// not take half a list for a whole one.
#[derive(Debug)]
pub(crate) struct Doubted {
    pub(crate) segment: Segment,
    /// The last batch that the offset index names rightly; the indexes know all that was before,
    /// and go on from there. `None` if the segment has to be looked at from its start.
    pub(crate) behind: Option<Located>,
    pub(crate) times_lost: bool,
    pub(crate) aborts_lost: bool,
}

impl Segment {
    /// Opens a segment of which everything below `synced` is durable: batches, times and aborted
    /// transactions. Of its indexes no entry above is kept.
    pub(crate) fn open_doubted(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        synced: Offset,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> io::Result<Doubted> {
        let file = disk.open(&dir.join(name::file_name(base, Kind::Log)), Mode::ReadWrite)?;
        if synced <= base {
            let aborts = aborts::none(disk, dir, base)?;
            let segment = Self::with_new_indexes(disk, dir, base, file, aborts, sizes, now)?;
            let (times_lost, aborts_lost) = (false, false);
            return Ok(Doubted { segment, behind: None, times_lost, aborts_lost });
        }
        let size = file.len()?;
        let extent = Extent { end: synced, log_bytes: size };
        let (aborts, aborts_lost) =
            aborts::open(disk, dir, base, TransactionIndex::open_below, extent)?;
        let at = |kind| dir.join(name::file_name(base, kind));
        let (offsets_at, times_at) = (at(Kind::OffsetIndex), at(Kind::TimeIndex));
        let max = sizes.bytes_max;
        let times_beside = || {
            let beside = dir.join(name::file_name(base, Kind::TimeIndex) + name::CLEANED);
            TimeIndex::create(disk, &beside, base, max)
        };
        let (times, mut times_lost) =
            match TimeIndex::open_below(disk, &times_at, base, max, extent) {
                Ok(times) => (times, false),
                Err(OpenError::Io(error)) => return Err(error),
                Err(error) => {
                    warn!(dir = %dir.display(), base = base.0, %error, "rebuilding times");
                    (times_beside()?, true)
                }
            };
        let offsets = match OffsetIndex::open_below(disk, &offsets_at, base, max, extent) {
            Ok(offsets) => offsets,
            Err(OpenError::Io(error)) => return Err(error),
            Err(_) => OffsetIndex::create(disk, &offsets_at, base, max)?,
        };
        let indexes = (offsets, times, aborts);
        let mut segment = Self::assemble(dir, base, file, size, indexes, now);
        let mut behind = segment.last_indexed()?;
        if !times_lost && !segment.has_right_times_behind(behind.as_ref())? {
            warn!(dir = %dir.display(), base = base.0, "rebuilding times that are wrong");
            (segment.times, times_lost) = (times_beside()?, true);
        }
        if times_lost {
            segment.forget_offsets()?;
            behind = None;
        }
        Ok(Doubted { segment, behind, times_lost, aborts_lost })
    }

    /// Finds [`Doubted::behind`]. Entries that are wrong go; those before are as much of a hint as
    /// ever: each is compared with its batch when it is used.
    fn last_indexed(&self) -> io::Result<Option<Located>> {
        for _ in 0..WRONG_ENTRIES_MAX {
            let Some(entry) = self.offsets.last().filter(|entry| entry.position > 0) else { break };
            match self.scan(u64::from(entry.position), self.size()).next() {
                Ok(Some(batch)) if batch.header.last_offset() == entry.offset => {
                    let newest = self.times.last_up_to(entry.offset)?;
                    let timestamp = batch.header.max_timestamp;
                    if timestamp > newest.map_or(Timestamp::NONE, |newest| newest.timestamp) {
                        break;
                    }
                    let bytes_since_entry = batch.header.size() as u64;
                    *self.progress() = Progress { newest, bytes_since_entry };
                    return Ok(Some(batch));
                }
                Err(ScanError::Io(error)) => return Err(error),
                _ => {
                    let position = entry.position;
                    warn!(dir = %self.dir.display(), base = self.base.0, position,
                        "wrong index entry");
                    self.offsets.truncate_to(entry.offset)?;
                }
            }
        }
        self.forget_offsets()?;
        Ok(None)
    }

    /// Has the offset index begin anew.
    pub(crate) fn forget_offsets(&self) -> io::Result<()> {
        *self.progress() = Progress::default();
        self.offsets.truncate_to(self.base)
    }

    /// Whether the last entries of the time index say what the batches do. An entry is made with the
    /// next one of the offset index only, and by then the recovery point may have passed its batch:
    /// such a one need not be durable.
    fn has_right_times_behind(&self, batch: Option<&Located>) -> io::Result<bool> {
        let known = batch.map(|batch| batch.header.last_offset());
        let entries = self.times.entries()?.into_iter();
        let entries = entries.filter(|entry| known.is_none_or(|known| entry.offset > known));
        let mut newest = self.newest();
        let mut scan = self.scan(batch.map_or(0, Located::end), self.size());
        for entry in entries {
            while newest.is_none_or(|newest| newest.offset < entry.offset) {
                let batch = match scan.next() {
                    Ok(Some(batch)) => batch,
                    Err(ScanError::Io(error)) => return Err(error),
                    _ => return Ok(false),
                };
                let (timestamp, offset) = (batch.header.max_timestamp, batch.header.last_offset());
                if newest.is_none_or(|newest| timestamp > newest.timestamp) {
                    newest = Some(TimeEntry { timestamp, offset });
                }
                if offset >= entry.offset {
                    break;
                }
            }
            if newest != Some(entry) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what the indexes have in memory.
    pub(crate) fn write_indexes(&self) -> io::Result<()> {
        self.offsets.write()?;
        self.times.write()?;
        self.aborts.write()
    }

    /// Puts the times that were found anew, durable, in the place of the damaged index. The name is
    /// for the caller to make durable.
    pub(crate) fn replace_times(&self, disk: &dyn Disk) -> io::Result<()> {
        let plain = self.path(Kind::TimeIndex);
        self.times.sync()?;
        disk.rename(&self.times.path(), &plain)?;
        self.times.moved_to(plain);
        Ok(())
    }
}

/// Of an index with so many wrong entries at its end no other is believed either.
const WRONG_ENTRIES_MAX: usize = 8;
