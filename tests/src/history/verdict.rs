//! What cannot be.

use std::{collections::BTreeSet, sync::Arc};

use super::Place;

/// A promise that was broken, with the events that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Two values at one offset.
    InconsistentOffset { place: Place, offset: i64, values: BTreeSet<u64> },
    /// One value at two offsets, though its producer is idempotent.
    Duplicate { place: Place, value: u64, offsets: Vec<i64> },
    /// Read, and never sent.
    Phantom { place: Place, offset: i64, value: u64 },
    /// Read, though it was refused or its transaction aborted.
    AbortedRead { place: Place, offset: i64, value: u64 },
    /// A transaction read what it wrote itself, before it was committed.
    PrecommittedRead { place: Place, offset: i64, value: u64 },
    /// Acknowledged, lies before what was read, and nobody ever saw it.
    LostWrite { place: Place, value: u64 },
    /// Acknowledged at an offset that the log did not reach in the end.
    LostTail { place: Place, value: u64, offset: i64, end: i64 },
    /// Acknowledged, and not in the last reading: lost or stuck.
    Unseen { place: Place, value: u64 },
    /// A reader got an offset that it had passed.
    NonMonotonicPoll { place: Place, process: u32, after: i64, offset: i64 },
    /// A reader was led past records that others saw.
    PollSkip { place: Place, process: u32, after: i64, missed: i64 },
    /// A later record of an idempotent producer lies before an earlier one.
    UnorderedSend { place: Place, process: u32, value: u64, offset: i64, before: i64 },
    /// Of one transaction a part is visible and a part is not.
    Torn { transaction: u64, visible: u64, missing: u64 },
    /// Transactions that read of each other in a circle.
    Cycle { transactions: BTreeSet<u64> },
    /// A reader was told that the log ends before what was acknowledged earlier.
    StaleRead { place: Place, process: u32, end: i64, acknowledged: i64 },
    /// A committed offset that was read back lower.
    CommitWentBack { group: Arc<str>, place: Place, committed: i64, fetched: i64 },
    /// Two members of one generation had one partition.
    DoubleAssignment { group: Arc<str>, generation: i32, place: Place, processes: [u32; 2] },
    /// A bound that only rises was told lower than before.
    MarkWentBack { place: Place, mark: &'static str, before: i64, after: i64 },
    /// Not: log start, stable offset, high watermark and log end in this order.
    MarksOutOfOrder { place: Place, marks: [i64; 4] },
}
