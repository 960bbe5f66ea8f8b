//! Log compaction (`cleanup.policy=compact`): of each key, the last record stays.
//!
//! A pass over one log reads the part that was not compacted yet and remembers the last offset of
//! each key in it (`map`); then it writes every segment below anew without the records that a
//! later one replaces (`filter`, `rewrite`), several small segments into one, and puts the
//! results in the place of what they came from (`log/compact.rs`). What may be touched, and when,
//! is decided purely (`choice`). Offsets never change, and batches keep their headers.
//!
//! A record without a value, a tombstone, deletes its key. It stays for `delete.retention.ms`
//! after the first pass that saw it, so that readers learn of the deletion: that pass writes into
//! the batch when the time is over (the delete horizon of KIP-534).

mod choice;
mod filter;
mod map;
pub(crate) mod rewrite;
mod transactions;

use std::{fmt, io};

use milena_protocol::{Offset, Timestamp, records::BuildError};

pub use self::choice::{Bounds, Cleanable, SealedFacts, cleanable, groups};
pub(crate) use self::{filter::Filter, map::OffsetMap, transactions::Transactions};
use crate::{log::error::Offline, segment::ScanError};

/// What a topic's settings say about its compaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// `min.cleanable.dirty.ratio`.
    pub min_dirty_ratio: f64,
    /// `min.compaction.lag.ms`; 0 for none.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`; `i64::MAX` for none.
    pub max_lag_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
}

/// One pass over one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What was compacted before ends here, and what is to be ends at `until`: see [`Cleanable`].
    pub from: Offset,
    pub until: Offset,
    pub delete_retention_ms: i64,
    pub now: Timestamp,
    /// Memory for the keys. Where they do not all fit, the pass ends before `until`.
    pub map_bytes: usize,
    /// Makes it unpredictable which keys look alike.
    pub seed: u64,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Where the next pass begins.
    pub to: Offset,
    pub keys: usize,
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub records_dropped: u64,
}

/// Told of all bytes that a pass reads and writes.
pub trait Pace {
    /// Waits for as long as `bytes` more have to wait; `false` ends the pass.
    fn spend(&mut self, bytes: u64) -> bool;
}

/// Why a pass ended early. Whatever it had put in place by then is whole.
#[derive(Debug)]
pub enum CompactError {
    /// The log has to be left alone until somebody looks at it.
    Unreadable {
        segment: Offset,
        position: u64,
        reason: String,
    },
    Io(io::Error),
    Offline(Offline),
    /// It was told to stop, or segments were deleted under its hands.
    Interrupted,
}

impl CompactError {
    pub(crate) fn scan(segment: Offset, error: ScanError) -> Self {
        match error {
            ScanError::Io(error) => Self::Io(error),
            ScanError::Bad { position, what } => {
                Self::Unreadable { segment, position, reason: what.to_string() }
            }
        }
    }

    fn build(segment: Offset, position: u64, error: &BuildError) -> Self {
        Self::Unreadable { segment, position, reason: error.to_string() }
    }
}

impl From<io::Error> for CompactError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Offline> for CompactError {
    fn from(offline: Offline) -> Self {
        Self::Offline(offline)
    }
}

impl fmt::Display for CompactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { segment, position, reason } => {
                write!(f, "segment {} cannot be read at position {position}: {reason}", segment.0)
            }
            Self::Io(error) => error.fmt(f),
            Self::Offline(offline) => offline.fmt(f),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for CompactError {}
