//! `<base>.txnindex`: the transactions that were aborted in a segment.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf, BufMut};
use milena_protocol::{Offset, ProducerId};

use super::{AppendError, Extent, OpenError, table, table::Table};
use crate::fs::Disk;

/// Aborted transactions whose marker lies in the segment, in the order of their markers. There is
/// no file until the first of them. Big-endian.
///
/// | bytes  | field       | meaning                                            |
/// |--------|-------------|----------------------------------------------------|
/// | 0..2   | version     | 0                                                  |
/// | 2..10  | producer    | its id                                             |
/// | 10..18 | first       | offset of the transaction's first record           |
/// | 18..26 | last        | offset of its abort marker                         |
/// | 26..34 | last stable | below it, all were decided when the marker came    |
#[derive(Debug)]
pub struct TransactionIndex {
    base: Offset,
    table: Table<AbortedTransaction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer: ProducerId,
    /// May lie in an earlier segment.
    pub first: Offset,
    /// Offset of the marker.
    pub last: Offset,
    pub last_stable: Offset,
}

/// What a reader with `isolation.level=read_committed` has to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aborts {
    pub transactions: Vec<AbortedTransaction>,
    /// No later segment can add to them.
    pub complete: bool,
}

impl TransactionIndex {
    /// An index without entries. A file that is there already is removed.
    pub fn create(disk: &Arc<dyn Disk>, path: &Path, base: Offset) -> io::Result<Self> {
        table::remove(&**disk, path)?;
        Ok(Self::absent(disk, path, base))
    }

    /// Opens the index of a segment that is no longer written; without a file there are no
    /// entries.
    pub fn open_sealed(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (path, in_range) = (path.to_owned(), in_range(base, extent));
        match Table::open(Arc::clone(disk), path.clone(), BYTES_MAX, in_range) {
            Ok(table) => Ok(Self { base, table }),
            Err(OpenError::Missing) => Ok(Self::absent(disk, &path, base)),
            Err(error) => Err(error),
        }
    }

    /// Opens what is there and looks at every entry; without a file there are none.
    pub fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (table_at, in_range) = (path.to_owned(), in_range(base, extent));
        match Table::open_growing(Arc::clone(disk), table_at, BYTES_MAX, in_range) {
            Ok(table) => Ok(Self { base, table }),
            Err(OpenError::Missing) => Ok(Self::absent(disk, path, base)),
            Err(error) => Err(error),
        }
    }

    /// Opens the index of a segment that a crash may have damaged, all entries below `extent.end` of
    /// which are durable; those behind go. Without a file there are none.
    pub fn open_below(
        disk: &Arc<dyn Disk>,
        path: &Path,
        base: Offset,
        extent: Extent,
    ) -> Result<Self, OpenError> {
        let (table_at, in_range) = (path.to_owned(), in_range(base, extent));
        let is_below = |entry: &AbortedTransaction| entry.last < extent.end;
        match Table::open_below(Arc::clone(disk), table_at, BYTES_MAX, is_below, in_range) {
            Ok((_, Some(damage))) => Err(damage.into()),
            Ok((table, None)) => {
                table.end_file()?;
                Ok(Self { base, table })
            }
            Err(OpenError::Missing) => Ok(Self::absent(disk, path, base)),
            Err(error) => Err(error),
        }
    }

    fn absent(disk: &Arc<dyn Disk>, path: &Path, base: Offset) -> Self {
        Self { base, table: Table::absent(Arc::clone(disk), path.to_owned(), BYTES_MAX) }
    }

    /// Adds a transaction, whose marker must be above the last one's. None is turned away because
    /// the index is full: what is not listed counts as committed. On [`AppendError::Io`] it is
    /// added, but not written yet.
    pub fn append(&self, aborted: AbortedTransaction) -> Result<(), AppendError> {
        if aborted.last < self.base {
            return Err(AppendError::BelowBase { offset: aborted.last, base: self.base });
        }
        if let Some(last) = self.table.last().filter(|last| last.last >= aborted.last) {
            return Err(AppendError::NotIncreasing { offset: aborted.last, last: last.last });
        }
        Ok(self.table.push(aborted)?)
    }

    /// The aborted transactions that have records in `from..upper`.
    pub fn aborted_in(&self, from: Offset, upper: Offset) -> io::Result<Aborts> {
        self.table.with(|slots| {
            let mut found = Aborts::default();
            let first = slots.partition_point(|entry| entry.last < from);
            for entry in (first..slots.len()).filter_map(|at| slots.get(at)) {
                if entry.first < upper {
                    found.transactions.push(entry);
                }
                if entry.last_stable >= upper {
                    found.complete = true;
                    break;
                }
            }
            found
        })
    }

    /// All of them, in the order of their markers.
    pub fn entries(&self) -> io::Result<Vec<AbortedTransaction>> {
        self.table.with(|slots| (0..slots.len()).filter_map(|at| slots.get(at)).collect())
    }

    /// Forgets the transactions whose marker is at or above `offset`.
    pub fn truncate_to(&self, offset: Offset) -> io::Result<()> {
        let keep = self.table.with(|slots| slots.partition_point(|entry| entry.last < offset))?;
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

    /// As [`TransactionIndex::sync`], but only if anything was added since the last time.
    pub fn sync_news(&self) -> io::Result<bool> {
        self.table.sync_news()
    }

    /// Writes all entries and syncs the file; `false` if there is none, or nothing new in it.
    pub fn sync(&self) -> io::Result<bool> {
        self.table.sync()
    }

    /// Tells the index that its file was renamed.
    pub fn moved_to(&self, path: PathBuf) {
        self.table.moved_to(path);
    }

    pub fn path(&self) -> PathBuf {
        self.table.path()
    }

    pub fn count(&self) -> usize {
        self.table.count()
    }

    /// No room for another entry: time to roll the segment.
    pub fn is_full(&self) -> bool {
        self.table.count() >= self.table.entries_max()
    }
}

fn in_range(base: Offset, extent: Extent) -> impl Fn(&AbortedTransaction) -> bool {
    move |entry| base <= entry.last && entry.last < extent.end && entry.first <= entry.last
}

impl table::Entry for AbortedTransaction {
    const BYTES: usize = 34;

    fn read(mut raw: &[u8]) -> Option<Self> {
        if raw.try_get_i16().ok()? != VERSION {
            return None;
        }
        Some(Self {
            producer: ProducerId(raw.try_get_i64().ok()?),
            first: Offset(raw.try_get_i64().ok()?),
            last: Offset(raw.try_get_i64().ok()?),
            last_stable: Offset(raw.try_get_i64().ok()?),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_i16(VERSION);
        out.put_i64(self.producer.0);
        out.put_i64(self.first.0);
        out.put_i64(self.last.0);
        out.put_i64(self.last_stable.0);
    }

    fn follows(&self, previous: &Self) -> bool {
        self.last > previous.last
    }
}

const VERSION: i16 = 0;
/// About a million aborted transactions in one segment, at which it is closed.
const BYTES_MAX: u32 = 34 << 20;
