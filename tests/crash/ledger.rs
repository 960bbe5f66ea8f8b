//! What the broker promised, kept outside of it, and what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use milena_broker::client::{Cluster, Consumer, Start};
use milena_tests::history::{self, Act, End, Event, History, Marks, Outcome, Poll, Send, Verdict};

use super::{dice::Dice, transactor::EXACT, writer::Kind};

/// Topic and partition.
pub(crate) type Place = (&'static str, i32);

/// A value that was sent: by whom, as which of its own, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) writer: u32,
    /// Counts what the writer sends to one partition.
    pub(crate) number: u64,
    pub(crate) padding: usize,
}

impl Value {
    pub(crate) fn text(self) -> String {
        // The last number is filled up with dots to as many letters as it says.
        format!("{} {} {:.<2$}", self.writer, self.number, self.padding)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let (writer, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let value = Self { writer, number, padding: words.next()?.len() };
        (value.text() == text).then_some(value)
    }

    /// Names it among all that are sent anywhere: a writer keeps to one topic.
    fn id(self, (_, partition): Place) -> u64 {
        let partition = u64::from(partition.cast_unsigned());
        u64::from(self.writer) << 48 | partition << 40 | self.number
    }
}

/// Every acknowledged record with its offset, and all that was sent at all.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    writers: BTreeMap<u32, Kind>,
    acknowledged: BTreeMap<(Place, i64), Value>,
    /// What was sent, and when.
    sent: BTreeMap<Place, BTreeMap<Value, u64>>,
    /// What an earlier reading found, and every later one must.
    read: BTreeMap<Place, Found>,
    /// Where deletions of records were asked to go to at most, and where they were said to be.
    trims: BTreeMap<Place, Trim>,
    /// All of it that has an answer, to be judged in the end.
    history: History,
    /// Passes whenever something is noted.
    clock: u64,
    failing: bool,
    /// The transactions of values that were sent in one.
    transactions: BTreeMap<(Place, Value), u64>,
    ends: BTreeMap<u64, End>,
    /// Where the reader of what was committed is.
    positions: BTreeMap<Place, i64>,
    /// Acknowledged by a machine that had failed.
    too_late: BTreeMap<(Place, i64), Value>,
    too_late_and_lost: usize,
}

/// All of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    first: i64,
    values: Vec<Value>,
}

impl Found {
    fn at(&self, offset: i64) -> Option<&Value> {
        usize::try_from(offset - self.first).ok().and_then(|at| self.values.get(at))
    }

    fn end(&self) -> i64 {
        self.first + i64::try_from(self.values.len()).expect("an offset")
    }

    fn with_offsets(&self) -> impl Iterator<Item = (i64, &Value)> {
        (self.first..).zip(&self.values)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Trim {
    asked: i64,
    acknowledged: i64,
}

impl Ledger {
    pub(crate) fn new(writers: impl IntoIterator<Item = (u32, Kind)>) -> Self {
        Self { writers: writers.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether the machine has failed, so that errors are no fault of the broker, and what it
    /// acknowledges counts for nothing: without power nobody would have heard of it.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(crate) fn set_failing(&mut self, failing: bool) {
        self.failing = failing;
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(crate) fn records(&self) -> usize {
        self.read.values().map(|found| found.values.len()).sum()
    }

    pub(crate) fn note_sent(&mut self, place: Place, values: &[Value]) {
        let now = self.tick();
        let sent = self.sent.entry(place).or_default();
        sent.extend(values.iter().map(|&value| (value, now)));
    }

    pub(crate) fn note_acknowledged(&mut self, place: Place, base: i64, values: &[Value]) {
        let now = self.tick();
        for (offset, &value) in (base..).zip(values) {
            let before = self.acknowledged.insert((place, offset), value);
            assert_eq!(before, None, "{place:?} offset {offset} was given twice, now to {value:?}");
            self.history.push(self.sending(place, value, now, Outcome::Done { offset }));
        }
    }

    pub(crate) fn note_in_transaction(&mut self, place: Place, values: &[Value], transaction: u64) {
        self.transactions.extend(values.iter().map(|&value| ((place, value), transaction)));
    }

    /// What is known of a transaction's end by now.
    pub(crate) fn note_end(&mut self, transaction: u64, end: End) {
        self.ends.insert(transaction, end);
    }

    /// How many transactions are known to be committed.
    pub(crate) fn committed(&self) -> usize {
        self.ends.values().filter(|end| **end == End::Committed).count()
    }

    /// Where the reader goes on that reads what was committed.
    pub(crate) fn position(&self, place: Place) -> i64 {
        self.positions.get(&place).copied().unwrap_or(0)
    }

    pub(crate) fn note_committed(
        &mut self,
        place: Place,
        records: &[(i64, Value)],
        end: i64,
        again: bool,
    ) {
        let now = self.tick();
        let shown = history::Place::new(place.0, place.1);
        let records = records.iter().map(|&(offset, value)| (offset, value.id(place))).collect();
        let process = if again { BEGINS_AGAIN } else { GOES_ON };
        let (read_committed, turn, transaction) = (true, 0, None);
        let poll = Poll { place: shown.clone(), records, end, read_committed, turn, transaction };
        let marks = Marks { place: shown, start: 0, stable: end, high: end, end, leader_epoch: 0 };
        for act in [Act::Poll(poll), Act::Marks(marks)] {
            self.history.push(Event { asked: now, answered: now, process, act });
        }
        self.positions.insert(place, end);
    }

    pub(crate) fn note_too_late(&mut self, place: Place, base: i64, values: &[Value]) {
        self.too_late.extend((base..).zip(values).map(|(offset, &value)| ((place, offset), value)));
    }

    /// How many records of those that were acknowledged too late were not there.
    pub(crate) fn too_late_and_lost(&self) -> usize {
        self.too_late_and_lost
    }

    /// Somewhere in what was read, so that it is committed, and before the last of it.
    pub(crate) fn ask_trim(&mut self, place: Place, dice: &mut Dice) -> Option<i64> {
        let found = self.read.get(&place)?;
        let room = u32::try_from(found.values.len().checked_sub(1)?).ok()?;
        let to = found.first + i64::from(dice.below(room / 8 + 1));
        let trim = self.trims.entry(place).or_default();
        trim.asked = trim.asked.max(to);
        Some(to)
    }

    pub(crate) fn note_trimmed(&mut self, place: Place, to: i64) {
        let trim = self.trims.entry(place).or_default();
        trim.acknowledged = trim.acknowledged.max(to);
    }

    /// Holds what the broker has against what it promised. Of writers that never give up nothing
    /// may be missing in between.
    pub(crate) fn check(&mut self, found: BTreeMap<Place, Found>) {
        for (place, found) in &found {
            let trim = self.trims.get(place).copied().unwrap_or_default();
            let begins = trim.acknowledged..=trim.asked;
            assert!(begins.contains(&found.first), "{place:?} begins at {}: {trim:?}", found.first);
            self.check_order(*place, found);
        }
        let nothing = Found::default();
        // What transactions became is judged by the history.
        let simple = self.acknowledged.iter().filter(|((place, _), _)| place.0 != EXACT);
        for (&(place, offset), value) in simple {
            let found = found.get(&place).unwrap_or(&nothing);
            if offset >= found.first {
                let context = format!("{place:?} offset {offset} was acknowledged");
                assert_eq!(found.at(offset), Some(value), "{context}");
            }
        }
        for ((place, offset), value) in std::mem::take(&mut self.too_late) {
            let there = found.get(&place).is_some_and(|found| found.at(offset) == Some(&value));
            self.too_late_and_lost += usize::from(!there);
        }
        for (place, before) in &self.read {
            let now = found.get(place).unwrap_or(&nothing);
            for (offset, value) in before.with_offsets().filter(|(at, _)| *at >= now.first) {
                assert_eq!(now.at(offset), Some(value), "{place:?} offset {offset} was read");
            }
        }
        for (&place, found) in &found {
            let read_before = self.read.get(&place).map_or(found.first, Found::end);
            self.note_read(place, found, read_before, GOES_ON);
        }
        self.read = found;
    }

    /// What a history of all that was noted says. A last reader begins at the beginning.
    pub(crate) fn verdicts(mut self) -> Vec<Verdict> {
        let read = std::mem::take(&mut self.read);
        for (&place, found) in &read {
            self.note_read(place, found, found.first, BEGINS_AGAIN);
        }
        let acknowledged: BTreeSet<(Place, Value)> =
            self.acknowledged.iter().map(|(&(place, _), &value)| (place, value)).collect();
        let now = self.tick();
        for (&place, values) in &self.sent {
            let unanswered = values.keys().filter(|&&it| !acknowledged.contains(&(place, it)));
            for &value in unanswered {
                self.history.push(self.sending(place, value, now, Outcome::Unknown));
            }
        }
        for (&transaction, &outcome) in &self.ends {
            let act = Act::EndTransaction { transaction, outcome };
            self.history.push(Event { asked: now, answered: now, process: 0, act });
        }
        self.history.check()
    }

    fn sending(&self, place: Place, value: Value, answered: u64, outcome: Outcome) -> Event {
        let kind = self.writers[&value.writer];
        let send = Send {
            place: history::Place::new(place.0, place.1),
            value: value.id(place),
            outcome,
            idempotent: matches!(kind, Kind::Idempotent | Kind::Transactional),
            committed: kind.waits_for_all(),
            transaction: self.transactions.get(&(place, value)).copied(),
        };
        let asked = self.sent[&place][&value];
        Event { asked, answered, process: value.writer, act: Act::Send(send) }
    }

    fn note_read(&mut self, place: Place, found: &Found, from: i64, process: u32) {
        let now = self.tick();
        let (end, shown) = (found.end(), history::Place::new(place.0, place.1));
        let records = found.with_offsets().filter(|(offset, _)| *offset >= from);
        let poll = Poll {
            place: shown.clone(),
            records: records.map(|(offset, value)| (offset, value.id(place))).collect(),
            end,
            read_committed: false,
            turn: 0,
            transaction: None,
        };
        let marks = Marks {
            place: shown,
            start: found.first,
            stable: end,
            high: end,
            end,
            leader_epoch: 0,
        };
        for act in [Act::Poll(poll), Act::Marks(marks)] {
            self.history.push(Event { asked: now, answered: now, process, act });
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn check_order(&self, place: Place, found: &Found) {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (offset, value) in found.with_offsets() {
            let context = format!("{place:?} offset {offset}");
            assert!(self.sent[&place].contains_key(value), "{context}: never sent: {value:?}");
            let before = last.insert(value.writer, value.number);
            assert!(before < Some(value.number), "{context}: twice or out of order");
            let unseen = before.is_none() && found.first > 0;
            if self.writers[&value.writer] == Kind::Idempotent && !unseen {
                let next = before.map_or(0, |before| before + 1);
                assert_eq!(value.number, next, "{context}: something is missing before it");
            }
        }
    }
}

/// Reads all that a topic has, and makes sure that no offset is left out.
pub(crate) async fn read_topic(address: SocketAddr, topic: &'static str) -> BTreeMap<Place, Found> {
    let cluster = Cluster::connect(&address.to_string(), PATIENCE).await.expect("connect");
    let mut consumer =
        Consumer::new(cluster, topic, None, Start::Earliest).await.expect("begin to read");
    let mut found: BTreeMap<Place, Found> = BTreeMap::new();
    while !consumer.at_end() {
        for record in consumer.poll(PATIENCE).await.expect("read") {
            let first = Found { first: record.offset, values: Vec::new() };
            let found = found.entry((topic, record.partition)).or_insert(first);
            assert_eq!(record.offset, found.end(), "a gap");
            let value = record.value.expect("a value");
            let value = std::str::from_utf8(&value).ok().and_then(Value::parse);
            found.values.push(value.expect("a value as it was sent"));
        }
    }
    found
}

/// Readers, as processes of the history. Writers have lower numbers.
const GOES_ON: u32 = 1_000;
const BEGINS_AGAIN: u32 = 1_001;
const PATIENCE: Duration = Duration::from_secs(10);
