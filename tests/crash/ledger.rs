//! What the broker promised, kept outside of it, and what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use milena_broker::client::{Cluster, Consumer, Start};

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

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let (writer, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let value = Self { writer, number, padding: words.next()?.len() };
        (value.text() == text).then_some(value)
    }
}

/// Every acknowledged record with its offset, and all that was sent at all.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<(Place, i64), Value>,
    sent: BTreeMap<Place, BTreeSet<Value>>,
    /// What an earlier reading found, and every later one must.
    read: BTreeMap<Place, Vec<Value>>,
}

impl Ledger {
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(crate) fn records(&self) -> usize {
        self.read.values().map(Vec::len).sum()
    }

    pub(crate) fn note_sent(&mut self, place: Place, values: &[Value]) {
        self.sent.entry(place).or_default().extend(values);
    }

    pub(crate) fn note_acknowledged(&mut self, place: Place, base: i64, values: &[Value]) {
        for (offset, &value) in (base..).zip(values) {
            let before = self.acknowledged.insert((place, offset), value);
            assert_eq!(before, None, "{place:?} offset {offset} was given twice, now to {value:?}");
        }
    }

    /// Holds what the broker has against what it promised. Of writers that never give up
    /// (`persistent`) nothing may be missing in between.
    pub(crate) fn check(&mut self, found: BTreeMap<Place, Vec<Value>>, persistent: &[u32]) {
        for (&(place, offset), value) in &self.acknowledged {
            let at = usize::try_from(offset).expect("an offset");
            let there = found.get(&place).and_then(|values| values.get(at));
            assert_eq!(there, Some(value), "{place:?} offset {offset} was acknowledged");
        }
        for (place, before) in &self.read {
            let now = found.get(place).map(Vec::as_slice).unwrap_or_default();
            assert!(now.starts_with(before), "{place:?} is not what it was");
        }
        for (place, values) in &found {
            let mut last: BTreeMap<u32, u64> = BTreeMap::new();
            for (offset, value) in values.iter().enumerate() {
                let context = format!("{place:?} offset {offset}");
                assert!(self.sent[place].contains(value), "{context}: never sent: {value:?}");
                let before = last.insert(value.writer, value.number);
                if persistent.contains(&value.writer) {
                    let next = before.map_or(0, |before| before + 1);
                    assert_eq!(value.number, next, "{context}: twice, missing or out of order");
                } else {
                    assert!(before < Some(value.number), "{context}: twice or out of order");
                }
            }
        }
        self.read = found;
    }
}

/// Reads all that a topic has, and makes sure that no offset is left out.
pub(crate) async fn read_topic(
    address: SocketAddr,
    topic: &'static str,
) -> BTreeMap<Place, Vec<Value>> {
    let cluster = Cluster::connect(&address.to_string(), PATIENCE).await.expect("connect");
    let mut consumer =
        Consumer::new(cluster, topic, None, Start::Earliest).await.expect("begin to read");
    let mut found: BTreeMap<Place, Vec<Value>> = BTreeMap::new();
    while !consumer.at_end() {
        for record in consumer.poll(PATIENCE).await.expect("read") {
            let values = found.entry((topic, record.partition)).or_default();
            assert_eq!(record.offset, i64::try_from(values.len()).expect("an offset"), "a gap");
            let value = record.value.expect("a value");
            let value = std::str::from_utf8(&value).ok().and_then(Value::parse);
            values.push(value.expect("a value as it was sent"));
        }
    }
    found
}

const PATIENCE: Duration = Duration::from_secs(10);
