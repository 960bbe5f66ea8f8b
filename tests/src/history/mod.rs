//! What clients did and what they were told, and whether a log that keeps its promises could have
//! told them so.
//!
//! A history is gathered by the clients of a test while a broker is killed, starved or cut off,
//! and ends with readings of all partitions from their first record. [`History::check`] is one pass
//! over it with maps. Values are unique: a value names the one attempt to write it.

mod groups;
mod marks;
mod partition;
mod polls;
mod transactions;
mod verdict;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

pub use verdict::Verdict;

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub topic: Arc<str>,
    pub partition: i32,
}

/// One thing that a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it was asked for, on a clock that all clients share.
    pub asked: u64,
    /// When it was answered, or given up.
    pub answered: u64,
    /// A client that crashed goes on under another number.
    pub process: u32,
    pub act: Act,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Send(Send),
    Poll(Poll),
    EndTransaction {
        transaction: u64,
        outcome: End,
    },
    Marks(Marks),
    /// An offset that was committed, or read back.
    CommitOffset {
        group: Arc<str>,
        place: Place,
        offset: i64,
    },
    FetchOffset {
        group: Arc<str>,
        place: Place,
        offset: i64,
    },
    /// A member got a partition in a generation of its group.
    Assign {
        group: Arc<str>,
        generation: i32,
        place: Place,
    },
}

/// A record that was written, or was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    pub place: Place,
    pub value: u64,
    pub outcome: Outcome,
    /// Promised to be there once and in order.
    pub idempotent: bool,
    /// Answered only when it can be read by all: `acks=all`.
    pub committed: bool,
    pub transaction: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done {
        offset: i64,
    },
    /// Certainly not written.
    Refused,
    /// No answer came.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Committed,
    Aborted,
    Unknown,
}

/// An answer to one fetch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub place: Place,
    /// Offsets and values, in the order in which they came.
    pub records: Vec<(i64, u64)>,
    /// The end of what could be read, as the broker told it.
    pub end: i64,
    pub read_committed: bool,
    /// Polls with the same number by the same process follow each other without a seek.
    pub turn: u32,
    /// The transaction that the reader was in.
    pub transaction: Option<u64>,
}

/// What a broker told of a partition's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    pub place: Place,
    pub start: i64,
    pub stable: i64,
    pub high: i64,
    pub end: i64,
    pub leader_epoch: i32,
}

/// What all clients did, in any order.
#[derive(Debug, Default)]
pub struct History {
    events: Vec<Event>,
}

impl History {
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Everything that cannot be, most telling first; empty if all promises were kept.
    ///
    /// # Panics
    /// If a value was sent by two: then whoever gathered the history is at fault.
    #[must_use]
    pub fn check(&self) -> Vec<Verdict> {
        let known = Known::new(&self.events);
        let mut verdicts = Vec::new();
        partition::check(&known, &mut verdicts);
        polls::check(&known, &mut verdicts);
        transactions::check(&known, &mut verdicts);
        groups::check(&self.events, &mut verdicts);
        marks::check(&known, &mut verdicts);
        verdicts
    }
}

/// The history, looked up by what is asked of it.
struct Known<'a> {
    /// Who tried to write a value.
    writers: BTreeMap<u64, (&'a Event, &'a Send)>,
    /// In the order in which they were answered.
    polls: Vec<(&'a Event, &'a Poll)>,
    marks: Vec<(&'a Event, &'a Marks)>,
    ends: BTreeMap<u64, End>,
    logs: BTreeMap<&'a Place, Log>,
}

/// All that anybody was told of a partition.
#[derive(Default)]
struct Log {
    /// What is at an offset. More than one value is one too many.
    values: BTreeMap<i64, BTreeSet<u64>>,
    seen: BTreeSet<u64>,
    seen_committed: BTreeSet<u64>,
    /// Behind the last record that anybody read.
    read_end: i64,
    /// What the last reading was told.
    last_end: i64,
    /// When the last reading began.
    last_asked: u64,
    /// What lies before was deleted.
    start: i64,
}

impl<'a> Known<'a> {
    fn new(events: &'a [Event]) -> Self {
        let mut known = Self {
            writers: BTreeMap::new(),
            polls: Vec::new(),
            marks: Vec::new(),
            ends: BTreeMap::new(),
            logs: BTreeMap::new(),
        };
        for event in events {
            match &event.act {
                Act::Send(send) => known.add_send(event, send),
                Act::Poll(poll) => known.polls.push((event, poll)),
                Act::Marks(marks) => known.marks.push((event, marks)),
                Act::EndTransaction { transaction, outcome } => {
                    known.ends.insert(*transaction, *outcome);
                }
                Act::CommitOffset { .. } | Act::FetchOffset { .. } | Act::Assign { .. } => {}
            }
        }
        known.polls.sort_by_key(|(event, _)| event.answered);
        known.marks.sort_by_key(|(event, _)| event.answered);
        for (event, poll) in &known.polls {
            add_poll(known.logs.entry(&poll.place).or_default(), event, poll);
        }
        for &(_, marks) in &known.marks {
            let log = known.logs.entry(&marks.place).or_default();
            log.start = log.start.max(marks.start);
        }
        known
    }

    fn add_send(&mut self, event: &'a Event, send: &'a Send) {
        let before = self.writers.insert(send.value, (event, send));
        assert!(before.is_none(), "the value {} was sent by two", send.value);
        if let Outcome::Done { offset } = send.outcome {
            let log = self.logs.entry(&send.place).or_default();
            log.values.entry(offset).or_default().insert(send.value);
        }
    }

    /// What became of the transaction of a send; one without was committed by itself.
    fn end_of(&self, send: &Send) -> End {
        let Some(transaction) = send.transaction else { return End::Committed };
        self.ends.get(&transaction).copied().unwrap_or(End::Unknown)
    }
}

impl Place {
    #[must_use]
    pub fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

fn add_poll(log: &mut Log, event: &Event, poll: &Poll) {
    for &(offset, value) in &poll.records {
        log.values.entry(offset).or_default().insert(value);
        log.seen.insert(value);
        if poll.read_committed {
            log.seen_committed.insert(value);
        }
        log.read_end = log.read_end.max(offset + 1);
    }
    (log.last_end, log.last_asked) = (poll.end, event.asked);
}
