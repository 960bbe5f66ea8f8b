//! `<base>.index`: from offset to file position.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf, BufMut};
use milena_protocol::Offset;

use super::{AppendError, Extent, OpenError, absolute, relative, table, table::Table};
use crate::fs::Disk;

/// Sparse map from offset to the position of the batch that ends with it. Big-endian, entries in
/// order, none for a segment's first `index.interval.bytes`.
///
/// | bytes | field    | meaning                                         |
/// |-------|----------|-------------------------------------------------|
/// | 0..4  | relative | the batch's last offset minus the segment's base |
/// | 4..8  | position | where the batch starts in the `.log`            |
#[derive(Debug)]
pub struct OffsetIndex {
    base: Offset,
    table: Table<Raw>,
}

/// The batch at `position` ends with `offset`; or, from a lookup that found no entry, the segment
/// starts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    pub offset: Offset,
    pub position: u32,
}

impl OffsetIndex {
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

    /// An empty index whose file is made by [`OffsetIndex::make_file`], or with the first entries. A file
    /// that is there already is removed.
    pub fn absent(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        bytes_max: u32,
    ) -> io::Result<Self> {
        table::remove(&**disk, path)?;
        Ok(Self { base, table: Table::absent(Arc::clone(disk), path.to_owned(), bytes_max) })
    }

    /// Kafka's tools expect a file beside each log that has batches.
    pub fn make_file(&self) -> io::Result<()> {
        self.table.make_file()
    }

    /// Opens the index of a segment that is no longer written: looks at its length and at its
    /// first and last entry now, and maps it when it is first asked.
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

    /// Opens the index of a segment that will be appended to, and looks at every entry.
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

    /// Opens what there is of the index of a segment that a crash may have damaged: the entries
    /// below `extent.end`, up to the first that cannot be one. What is behind goes.
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
        let (table, _) = Table::open_below(disk, path, bytes_max, is_below, in_range)?;
        table.end_file()?;
        Ok(Self { base, table })
    }

    /// Adds the batch at `position` that ends with `offset`. A sealed index is loaded first.
    pub fn append(&self, offset: Offset, position: u32) -> Result<(), AppendError> {
        let raw = Raw { relative: relative(offset, self.base)?, position };
        if self.table.count() >= self.table.entries_max() {
            return Err(AppendError::Full);
        }
        if let Some(last) = self.last().filter(|last| last.offset >= offset) {
            return Err(AppendError::NotIncreasing { offset, last: last.offset });
        }
        Ok(self.table.push(raw)?)
    }

    /// The last entry at or below `offset`, or the segment's start.
    pub fn lookup(&self, offset: Offset) -> io::Result<OffsetEntry> {
        self.table.with(|slots| {
            let after = slots.partition_point(|raw| absolute(raw.relative, self.base) <= offset);
            let found = after.checked_sub(1).and_then(|at| slots.get(at));
            found.map_or(OffsetEntry { offset: self.base, position: 0 }, |raw| self.entry(raw))
        })
    }

    /// The first entry whose batch starts at or after `position`.
    pub fn first_at_or_after(&self, position: u32) -> io::Result<Option<OffsetEntry>> {
        self.table.with(|slots| {
            let at = slots.partition_point(|raw| raw.position < position);
            slots.get(at).map(|raw| self.entry(raw))
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

    /// Tells the index that its file was renamed.
    pub fn moved_to(&self, path: PathBuf) {
        self.table.moved_to(path);
    }

    pub fn path(&self) -> PathBuf {
        self.table.path()
    }

    pub fn last(&self) -> Option<OffsetEntry> {
        self.table.last().map(|raw| self.entry(raw))
    }

    pub fn count(&self) -> usize {
        self.table.count()
    }

    /// No room for another entry: time to roll the segment.
    pub fn is_full(&self) -> bool {
        self.table.count() >= self.table.entries_max()
    }

    /// Every entry, for a check of the whole index.
    pub fn entries(&self) -> io::Result<Vec<OffsetEntry>> {
        self.table.with(|slots| {
            (0..slots.len()).filter_map(|at| slots.get(at)).map(|raw| self.entry(raw)).collect()
        })
    }

    fn entry(&self, raw: Raw) -> OffsetEntry {
        OffsetEntry { offset: absolute(raw.relative, self.base), position: raw.position }
    }
}

#[derive(Clone, Copy, Debug)]
struct Raw {
    relative: u32,
    position: u32,
}

impl Raw {
    fn is_in(&self, base: Offset, extent: Extent) -> bool {
        i32::try_from(self.relative).is_ok()
            && absolute(self.relative, base) < extent.end
            && u64::from(self.position) < extent.log_bytes
    }
}

impl table::Entry for Raw {
    const BYTES: usize = 8;

    fn read(mut raw: &[u8]) -> Option<Self> {
        Some(Self { relative: raw.try_get_u32().ok()?, position: raw.try_get_u32().ok()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.relative);
        out.put_u32(self.position);
    }

    fn follows(&self, previous: &Self) -> bool {
        self.relative > previous.relative && self.position > previous.position
    }
}
