//! Sparse maps from offset and from time to a place in a segment, and the list of transactions
//! that were aborted in it. The sparse maps are hints: a reader checks the batch that a lookup
//! leads it to, and what is missing or damaged is rebuilt from the log. The list is more than a
//! hint, as one that is missing looks like one of nothing: it is durable before its segment is
//! believed.
//!
//! An index that is appended to holds its entries in memory and writes them to its file a page at
//! a time; a sealed one is mapped when it is first read. The file ends with its last entry (Kafka
//! fills the active segment's with zeros to the full size and trims it later; such a file opens as
//! [`Damage`]). Every index is safe to share: one appends, many read, nobody waits for an fsync.

mod offset;
mod table;
mod time;
mod transaction;

use std::{fmt, io};

use milena_protocol::Offset;

pub use offset::{OffsetEntry, OffsetIndex};
pub use time::{TimeEntry, TimeIndex};
pub use transaction::{AbortedTransaction, Aborts, TransactionIndex};

/// What a segment holds, which the entries of its indexes must lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where the next segment begins; `Offset(i64::MAX)` where that is not known yet.
    pub end: Offset,
    /// Length of the segment's log file.
    pub log_bytes: u64,
}

/// Why an index could not be opened. All but `Io` call for a rebuild.
#[derive(Debug)]
pub enum OpenError {
    Missing,
    Damaged(Damage),
    Io(io::Error),
}

/// What is wrong with an index file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Not a whole number of entries.
    Length { bytes: u64, entry_bytes: usize },
    /// The entry `at` is not above the one before it.
    NotIncreasing { at: usize },
    /// The entry `at` points outside the segment.
    OutOfRange { at: usize },
    /// The entry `at` is of a version that is not known.
    UnknownVersion { at: usize },
}

/// Why an entry was not added.
#[derive(Debug)]
pub enum AppendError {
    BelowBase {
        offset: Offset,
        base: Offset,
    },
    /// Further from the base than an entry can say.
    TooFar {
        offset: Offset,
        base: Offset,
    },
    NotIncreasing {
        offset: Offset,
        last: Offset,
    },
    Full,
    /// The file could not be read or written. An entry that was added stays in memory, where
    /// lookups find it, and is written again with the next ones.
    Io(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("index is missing"),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes, entry_bytes } => {
                write!(f, "index of {bytes} bytes is not a multiple of {entry_bytes}")
            }
            Self::NotIncreasing { at } => write!(f, "index entry {at} is not above the last"),
            Self::OutOfRange { at } => write!(f, "index entry {at} lies outside the segment"),
            Self::UnknownVersion { at } => write!(f, "index entry {at} has an unknown version"),
        }
    }
}

impl std::error::Error for Damage {}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowBase { offset, base } => {
                write!(f, "offset {} is below the base {}", offset.0, base.0)
            }
            Self::TooFar { offset, base } => {
                write!(f, "offset {} is too far from the base {}", offset.0, base.0)
            }
            Self::NotIncreasing { offset, last } => {
                write!(f, "offset {} is not above the last entry's {}", offset.0, last.0)
            }
            Self::Full => f.write_str("index is full"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An offset as an index of the segment at `base` stores it.
fn relative(offset: Offset, base: Offset) -> Result<u32, AppendError> {
    if offset < base {
        return Err(AppendError::BelowBase { offset, base });
    }
    // Signed on disk, as Kafka reads it.
    i32::try_from(offset.0 - base.0)
        .ok()
        .and_then(|distance| u32::try_from(distance).ok())
        .ok_or(AppendError::TooFar { offset, base })
}

fn absolute(relative: u32, base: Offset) -> Offset {
    Offset(base.0.saturating_add(i64::from(relative)))
}

#[cfg(test)]
mod tests;
