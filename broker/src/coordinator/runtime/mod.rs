//! Runs state machines whose state is a log.
//!
//! A [`Machine`] decides purely: it is handed a request and the time, and leaves records, replies
//! and alarms in a [`Turn`]. The shard's driver takes what waits, has all of it decided, appends
//! the records of the whole turn as one batch, waits until they are committed and only then lets
//! the replies go: nobody is ever told what a crash could undo, and many requests of one moment
//! share one append and one sync. A turn without records appends nothing and waits for nothing.
//!
//! If the append fails the machine is put back to where it was before the turn. Its state is
//! therefore to be cheap to clone: persistent maps all the way down.

mod alarm;
mod batch;
mod inbox;
mod load;
mod log;
mod placement;
mod shard;
mod shards;

use std::{fmt, time::Duration};

use bytes::Bytes;
use milena_protocol::Timestamp;

pub use alarm::{Alarm, Ring};
pub use log::{AppendFailed, Committed, Lost, PartitionLog, ReadFailed};
pub use placement::partition_of;
pub use shard::{Phase, Settings, Shard, Surroundings};
pub use shards::{Logs, Shards};

/// The state of one shard.
pub trait Machine: Clone + Send + Sync + 'static {
    type Request: Send + fmt::Debug;
    type Reply: Send;
    /// What an alarm is about.
    type Subject: Clone + Send + Sync + fmt::Debug;

    /// Takes in a record that was committed in an earlier life. `value` is `None` for a tombstone.
    /// A record that this version does not understand is passed over.
    fn replay(&mut self, key: Bytes, value: Option<Bytes>);

    /// All records are replayed; requests are about to come.
    fn loaded(&mut self, turn: &mut Turn<Self>);

    /// Decides a request. A reply may be given now, under `ticket`, or in any later turn.
    fn decide(&mut self, ticket: Ticket, request: &Self::Request, turn: &mut Turn<Self>);

    /// An alarm went off that was set for `due`.
    fn ring(&mut self, subject: &Self::Subject, due: Duration, turn: &mut Turn<Self>);
}

/// Names a request that has not been answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What time it is, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    /// The clock that alarms go by.
    pub monotonic: Duration,
}

/// A record of an internal topic; without a value it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRecord {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// What a machine decided, for its driver to carry out.
pub struct Turn<M: Machine> {
    pub now: Now,
    pub(super) records: Vec<StateRecord>,
    pub(super) replies: Vec<(Ticket, M::Reply)>,
    pub(super) alarms: Vec<(Duration, M::Subject)>,
    bytes: usize,
}

impl<M: Machine> Turn<M> {
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self { now, records: Vec::new(), replies: Vec::new(), alarms: Vec::new(), bytes: 0 }
    }

    /// Adds a record to the log.
    pub fn write(&mut self, record: StateRecord) {
        let value = record.value.as_ref().map_or(0, Bytes::len);
        self.bytes += record.key.len() + value + RECORD_OVERHEAD;
        self.records.push(record);
    }

    /// What the records will take up in the log, at most. They are written as one batch, which the
    /// log may refuse for its size: much that need not happen at once is to be done in many turns.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Answers a request, once everything decided so far is committed.
    pub fn reply(&mut self, ticket: Ticket, reply: M::Reply) {
        self.replies.push((ticket, reply));
    }

    /// Has [`Machine::ring`] called at `due`. It cannot be taken back: see [`Alarm`].
    pub fn wake(&mut self, due: Duration, subject: M::Subject) {
        self.alarms.push((due, subject));
    }

    /// Records, replies and alarms, for a test to carry out.
    #[cfg(test)]
    #[expect(clippy::type_complexity, reason = "three lists")]
    pub(in crate::coordinator) fn into_parts(
        self,
    ) -> (Vec<StateRecord>, Vec<(Ticket, M::Reply)>, Vec<(Duration, M::Subject)>) {
        (self.records, self.replies, self.alarms)
    }
}

impl<M: Machine> fmt::Debug for Turn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("now", &self.now)
            .field("records", &self.records)
            .field("replies", &self.replies.len())
            .field("alarms", &self.alarms)
            .finish()
    }
}

/// Why a request got no reply from the machine. Nothing of it happened, except for
/// [`Unavailable::TimedOut`], where that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The state is still being read.
    Loading,
    /// This broker does not hold the shard, or its log is offline.
    NotHere,
    /// More requests wait than the shard keeps.
    Overloaded,
    /// The log took nothing, for the moment.
    NotAppended,
    /// What was to be written is more than the log takes at once.
    TooLarge,
    /// The records were not committed in time.
    TimedOut,
}

/// Length, attributes, deltas and the count of headers of a record, at most.
const RECORD_OVERHEAD: usize = 32;

#[cfg(test)]
mod tests;
