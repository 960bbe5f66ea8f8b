//! `<base>.timeindex`: from timestamp to offset.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf, BufMut};
use milena_protocol::{Offset, Timestamp};

use super::{AppendError, Extent, OpenError, absolute, relative, table, table::Table};
use crate::fs::Disk;

/// Sparse map from timestamp to offset: when an entry is made, no batch up to its offset has a
/// greater timestamp. Big-endian, both columns in order. When a segment is rolled, its greatest
/// timestamp becomes the last entry.
///
/// | bytes | field     | meaning                                            |
/// |-------|-----------|----------------------------------------------------|
/// | 0..8  | timestamp | the greatest so far, in milliseconds               |
/// | 8..12 | relative  | last offset of the batch that has it, minus the base |
#[derive(Debug)]
pub struct TimeIndex {
    base: Offset,
    table: Table<Raw>,
}

/// The batch that ends with `offset` has the greatest timestamp up to there; or, from a lookup
/// that found no entry, no timestamp and the segment's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

impl TimeIndex {
    /// An empty index of at most `bytes_max` (`segment.index.bytes`). A file that is there already
    /// is replaced.
    pub fn create(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
    ) -> io::Result<Self> {
        let table = Table::create(Arc::clone(disk), path.to_owned(), bytes_max)?;
        Ok(Self { base, table })
    }

    /// As [`super::OffsetIndex::absent`].
    pub fn absent(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
    ) -> io::Result<Self> {
        table::remove(&**disk, path)?;
        Ok(Self { base, table: Table::absent(Arc::clone(disk), path.to_owned(), bytes_max) })
    }

    /// As [`super::OffsetIndex::make_file`].
    pub fn make_file(&self) -> io::Result<()> {
        self.table.make_file()
    }

    /// As [`super::OffsetIndex::open_sealed`].
    pub fn open_sealed(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (disk, path) = (Arc::clone(disk), path.to_owned());
        let table = Table::open(disk, path, bytes_max, |raw: &Raw| raw.is_in(base, extent))?;
        Ok(Self { base, table })
    }

    /// As [`super::OffsetIndex::open_active`].
    pub fn open_active(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (disk, path) = (Arc::clone(disk), path.to_owned());
        let table =
            Table::open_growing(disk, path, bytes_max, |raw: &Raw| raw.is_in(base, extent))?;
        Ok(Self { base, table })
    }

    /// Opens the index of a segment that a crash may have damaged, all entries below `extent.end` of
    /// which are durable. Those behind go.
    pub fn open_below(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (disk, path) = (Arc::clone(disk), path.to_owned());
        let is_below = |raw: &Raw| absolute(raw.relative, base) < extent.end;
        let in_range = |raw: &Raw| raw.is_in(base, extent);
        match Table::open_below(disk, path, bytes_max, is_below, in_range)? {
            (_, Some(damage)) => Err(damage.into()),
            (table, None) => {
                table.end_file()?;
                Ok(Self { base, table })
            }
        }
    }

    /// Adds an entry if `timestamp` is greater than the last one's; a lesser or equal one adds
    /// nothing. A sealed index is loaded first.
    pub fn append(&self, timestamp: Timestamp, offset: Offset) -> Result<(), AppendError> {
        let raw = Raw { timestamp, relative: relative(offset, self.base)? };
        if let Some(last) = self.last() {
            if timestamp <= last.timestamp {
                return Ok(());
            }
            if offset <= last.offset {
                return Err(AppendError::NotIncreasing { offset, last: last.offset });
            }
        } else if timestamp <= Timestamp::NONE {
            return Ok(());
        }
        if self.table.count() >= self.table.entries_max() {
            return Err(AppendError::Full);
        }
        Ok(self.table.push(raw)?)
    }

    /// The last entry at or before `timestamp`: a batch with a greater one can only come after
    /// its offset.
    pub fn lookup(&self, timestamp: Timestamp) -> io::Result<TimeEntry> {
        self.table.with(|slots| {
            let after = slots.partition_point(|raw| raw.timestamp <= timestamp);
            let found = after.checked_sub(1).and_then(|at| slots.get(at));
            found.map_or(TimeEntry { timestamp: Timestamp::NONE, offset: self.base }, |raw| {
                self.entry(raw)
            })
        })
    }

    /// The last entry at or below `offset`.
    pub fn last_up_to(&self, offset: Offset) -> io::Result<Option<TimeEntry>> {
        self.table.with(|slots| {
            let after = slots.partition_point(|raw| absolute(raw.relative, self.base) <= offset);
            after.checked_sub(1).and_then(|at| slots.get(at)).map(|raw| self.entry(raw))
        })
    }

    /// Forgets the entries at or above `offset`.
    pub fn truncate_to(&self, offset: Offset) -> io::Result<()> {
        let keep = self.table.with(|slots| {
            slots.partition_point(|raw| absolute(raw.relative, self.base) < offset)
        })?;
        self.table.truncate(keep)
    }

    /// Writes all entries and lets go of the memory; the segment is no longer appended to.
    pub fn seal(&self) -> io::Result<()> {
        self.table.seal()
    }

    /// Writes all entries.
    pub fn write(&self) -> io::Result<()> {
        self.table.write()
    }

    /// Writes all entries and syncs the file.
    pub fn sync(&self) -> io::Result<()> {
        self.table.sync().map(|_| ())
    }

    /// The same, but only if anything was added since the last time.
    pub fn sync_news(&self) -> io::Result<()> {
        self.table.sync_news().map(|_| ())
    }

    /// Tells the index that its file was renamed.
    pub fn moved_to(&self, path: PathBuf) {
        self.table.moved_to(path);
    }

    pub fn path(&self) -> PathBuf {
        self.table.path()
    }

    /// The segment's greatest timestamp, once it is sealed.
    pub fn last(&self) -> Option<TimeEntry> {
        self.table.last().map(|raw| self.entry(raw))
    }

    pub fn count(&self) -> usize {
        self.table.count()
    }

    /// Room for one more entry at most, which rolling the segment needs.
    pub fn is_full(&self) -> bool {
        self.table.count() + 1 >= self.table.entries_max()
    }

    /// Every entry, for a check of the whole index.
    pub fn entries(&self) -> io::Result<Vec<TimeEntry>> {
        self.table.with(|slots| {
            (0..slots.len()).filter_map(|at| slots.get(at)).map(|raw| self.entry(raw)).collect()
        })
    }

    fn entry(&self, raw: Raw) -> TimeEntry {
        TimeEntry { timestamp: raw.timestamp, offset: absolute(raw.relative, self.base) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Raw {
    timestamp: Timestamp,
    relative: u32,
}

impl Raw {
    fn is_in(&self, base: Offset, extent: Extent) -> bool {
        i32::try_from(self.relative).is_ok()
            && absolute(self.relative, base) < extent.end
            && self.timestamp > Timestamp::NONE
    }
}

impl table::Entry for Raw {
    const BYTES: usize = 12;

    fn read(mut raw: &[u8]) -> Option<Self> {
        Some(Self {
            timestamp: Timestamp(raw.try_get_i64().ok()?),
            relative: raw.try_get_u32().ok()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_i64(self.timestamp.0);
        out.put_u32(self.relative);
    }

    fn follows(&self, previous: &Self) -> bool {
        self.timestamp > previous.timestamp && self.relative > previous.relative
    }
}
