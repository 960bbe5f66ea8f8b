//! What a shard needs of the partition under it. The side that needs it owns the trait; `wiring`
//! connects it to a replica.

use std::{fmt, pin::Pin, time::Duration};

use bytes::Bytes;
use milena_protocol::{Offset, Timestamp};

/// One partition of an internal topic. A shard is its only writer.
pub trait PartitionLog: Send + Sync + fmt::Debug {
    /// Writes batches, all of them or none, and returns the offset after them. `bumps` says that
    /// the markers among them end transactions which have an epoch each, and bear the next one.
    ///
    /// # Errors
    /// Nothing was written.
    fn append(&self, batches: Bytes, bumps: bool, now: Timestamp) -> Result<Offset, AppendFailed>;

    /// Resolves once all before `end` is committed; `deadline` is on the monotonic clock.
    fn committed(&self, end: Offset, deadline: Duration) -> Committed<'_>;

    /// The same, and it survives a crash, even where what is committed need not.
    fn synced(&self, end: Offset, deadline: Duration) -> Committed<'_>;

    /// Where the log begins and where what is committed ends.
    fn bounds(&self) -> (Offset, Offset);

    /// Committed batches from the one that holds `from` on, at least one and not many more than
    /// `max_bytes`. It may block for as long as a disk takes.
    ///
    /// # Errors
    /// The log cannot be read.
    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ReadFailed>;
}

pub type Committed<'a> = Pin<Box<dyn Future<Output = Result<(), Lost>> + Send + 'a>>;

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFailed {
    /// A batch is larger than the log takes.
    TooLarge,
    /// A newer incarnation of a batch's producer has written.
    FencedProducer,
    /// A newer coordinator has ended a transaction of the producer that a marker is about.
    FencedCoordinator,
    /// Markers of both versions of transactions: the log judges an append by one.
    Mixed,
    /// The disk is full, or something else that may pass.
    Refused,
    /// The partition is not here any more, or takes no writes until the broker starts again.
    Offline,
}

/// Why an appended batch is not known to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It may be, later.
    TimedOut,
    /// The log went offline; only its next recovery can tell.
    Offline,
}

/// Why a log could not be read, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailed(pub String);

impl fmt::Display for ReadFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
