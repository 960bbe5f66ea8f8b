//! Runs state machines whose state is a log.
//!
//! A [`Machine`] decides purely: it is handed a request and the time, and leaves records, replies
//! and alarms in a [`Turn`]. The shard's driver takes what waits, has all of it decided, appends
//! the records of the whole turn at once, waits until they are committed and only then lets
//! the replies go: nobody is ever told what a crash could undo, and many requests of one moment
//! share one append and one sync. A turn without records appends nothing and waits for nothing.
//!
//! A topic may be set not to be synced; then what a crash of the machine undoes is what it leaves
//! of the log. A turn that writes for a transaction is synced even so: its parts are in many logs,
//! and nobody writes one of them again once the transaction is over.
//!
//! Records are one batch, unless some of them belong to transactions: those of a producer, and the
//! markers that end transactions, are batches of their own in the same append, in order.
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
use milena_protocol::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};
use milena_storage::producers::EndMarker;

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
    /// A record of a transaction comes with its `producer`; whether it counts is told by the marker
    /// that follows. A record that this version does not understand is passed over.
    fn replay(&mut self, producer: Option<ProducerId>, key: Bytes, value: Option<Bytes>);

    /// Takes in the end of a transaction, in its place among the records.
    fn replay_marker(&mut self, _marker: &EndMarker) {}

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

/// What a turn writes, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Record(StateRecord),
    /// A record that counts once the transaction of its producer is committed.
    Transactional(ProducerId, ProducerEpoch, StateRecord),
    /// The end of a producer's transaction.
    End(EndMarker),
}

/// Which markers are among what a turn writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) plain: bool,
    pub(super) bumping: bool,
}

/// What a machine decided, for its driver to carry out.
pub struct Turn<M: Machine> {
    pub now: Now,
    pub(super) entries: Vec<Entry>,
    pub(super) replies: Vec<(Ticket, M::Reply)>,
    pub(super) alarms: Vec<(Duration, M::Subject)>,
    /// Of the markers among the entries.
    pub(super) ends: Ends,
    bytes: usize,
}

/// How far a [`Turn`] had come.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    entries: usize,
    replies: usize,
    alarms: usize,
    bytes: usize,
}

impl Entry {
    pub(super) const fn is_of_transaction(&self) -> bool {
        match self {
            Self::Record(_) => false,
            Self::Transactional(..) | Self::End(_) => true,
        }
    }
}

impl<M: Machine> Turn<M> {
    #[must_use]
    pub fn new(now: Now) -> Self {
        let (replies, alarms) = (Vec::new(), Vec::new());
        Self { now, entries: Vec::new(), replies, alarms, ends: Ends::default(), bytes: 0 }
    }

    /// Adds a record to the log.
    pub fn write(&mut self, record: StateRecord) {
        self.bytes += record.bytes();
        self.entries.push(Entry::Record(record));
    }

    /// Adds a record to the transaction that `producer` has open. If a newer incarnation of it has
    /// written already the turn is undone, and the request told [`Unavailable::FencedProducer`].
    pub fn write_transactional(
        &mut self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        record: StateRecord,
    ) {
        self.bytes += record.bytes() + BATCH_OVERHEAD;
        self.entries.push(Entry::Transactional(producer, epoch, record));
    }

    /// Ends a transaction in this log. One that is out of date is refused, as for
    /// [`Turn::write_transactional`] or with [`Unavailable::FencedCoordinator`]. `bumps` says that
    /// the marker's epoch is the one after the transaction's.
    pub fn end_transaction(&mut self, marker: EndMarker, bumps: bool) {
        self.bytes += BATCH_OVERHEAD;
        if bumps {
            self.ends.bumping = true;
        } else {
            self.ends.plain = true;
        }
        self.entries.push(Entry::End(marker));
    }

    /// What the records will take up in the log, at most. The log may refuse a batch for its size:
    /// much that need not happen at once is to be done in many turns.
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

    /// Where the turn stands now, for [`Turn::undo_to`].
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark {
            entries: self.entries.len(),
            replies: self.replies.len(),
            alarms: self.alarms.len(),
            bytes: self.bytes,
        }
    }

    /// Takes back all that was decided since `mark`; the machine's state is the caller's to restore.
    pub fn undo_to(&mut self, mark: Mark) {
        self.entries.truncate(mark.entries);
        self.replies.truncate(mark.replies);
        self.alarms.truncate(mark.alarms);
        self.bytes = mark.bytes;
    }

    /// What is to be written, replies and alarms, for a test or a benchmark to carry out.
    #[must_use]
    #[expect(clippy::type_complexity, reason = "three lists")]
    pub fn into_parts(self) -> (Vec<Entry>, Vec<(Ticket, M::Reply)>, Vec<(Duration, M::Subject)>) {
        (self.entries, self.replies, self.alarms)
    }
}

impl StateRecord {
    /// What it takes up in a batch, at most.
    fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD
    }
}

impl<M: Machine> fmt::Debug for Turn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("now", &self.now)
            .field("entries", &self.entries)
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
    /// A newer incarnation of the producer has written.
    FencedProducer,
    /// A newer coordinator has ended a transaction of the producer.
    FencedCoordinator,
    /// The records were not committed in time.
    TimedOut,
}

impl Unavailable {
    /// What clients are told. It stands here, as coordinators answer them in their own words.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Loading => ErrorCode::CoordinatorLoadInProgress,
            Self::NotHere => ErrorCode::NotCoordinator,
            Self::Overloaded | Self::NotAppended | Self::TimedOut => {
                ErrorCode::CoordinatorNotAvailable
            }
            Self::FencedProducer => ErrorCode::InvalidProducerEpoch,
            Self::FencedCoordinator => ErrorCode::TransactionCoordinatorFenced,
            // No other attempt would fare better, and there is no code that says so.
            Self::TooLarge => ErrorCode::UnknownServerError,
        }
    }
}

/// Length, attributes, deltas and the count of headers of a record, at most.
const RECORD_OVERHEAD: usize = 32;
/// The header of a batch, and what a marker says.
const BATCH_OVERHEAD: usize = 128;

#[cfg(test)]
mod tests;
