//! Rounds of work on a broker, each of which ends badly, and what is left looked at after each.

use std::{
    collections::BTreeMap, net::SocketAddr, path::Path, sync::Mutex, thread, time::Duration,
};

use milena_broker::client::{ClientError, Cluster};
use milena_protocol::messages::{
    CreateTopicsRequest,
    topics::create_topics::{CreatableTopic, CreatableTopicConfig},
};
use milena_tests::Process;

use super::{
    block_on,
    chores::Chores,
    dice::Dice,
    findings,
    ledger::{Found, Ledger, Place, read_topic},
    program,
    transactor::{self, EXACT, Transactor, read_committed},
    writer::{Kind, Writer},
};

/// Clients that outlive brokers, and all that these promised them.
pub(crate) struct Rounds<'a> {
    data: &'a Path,
    dice: Dice,
    writers: Vec<Writer>,
    transactors: Vec<Transactor>,
    chores: Chores,
    ledger: Mutex<Ledger>,
}

impl<'a> Rounds<'a> {
    /// On an empty directory, with these writers: number, topic and kind.
    pub(crate) fn new(data: &'a Path, seed: u64, writers: &[(u32, &'static str, Kind)]) -> Self {
        let mut dice = Dice::new(seed);
        let ledger = Ledger::new(writers.iter().map(|&(id, _, kind)| (id, kind)));
        let (transacting, simple): (Vec<_>, Vec<_>) =
            writers.iter().partition(|(_, _, kind)| *kind == Kind::Transactional);
        let simple = simple.into_iter();
        let writers = simple.map(|&(id, topic, kind)| Writer::new(id, topic, kind, dice.split()));
        let writers = writers.collect();
        let transacting = transacting.into_iter();
        let transactors = transacting.map(|&(id, ..)| Transactor::new(id, dice.split())).collect();
        let chores = Chores::new(TRIMMED.to_vec(), dice.split());
        Self { data, dice, writers, transactors, chores, ledger: Mutex::new(ledger) }
    }

    /// Starts a broker, looks at what it has, and lets everybody work until `end` ends it, which
    /// is also given a way to say that errors are to be expected from then on.
    pub(crate) fn work(&mut self, end: impl FnOnce(Process, &Mutex<Ledger>)) {
        let broker = program().start(self.data, SETTINGS);
        if self.ledger.lock().unwrap().is_empty() {
            block_on(create_topics(broker.address())).unwrap();
        }
        self.check(broker.address());
        self.ledger.lock().unwrap().set_failing(false);
        let (address, ledger) = (broker.address(), &self.ledger);
        thread::scope(|scope| {
            for writer in &mut self.writers {
                scope.spawn(move || block_on(writer.run(address, ledger)));
            }
            for transactor in &mut self.transactors {
                scope.spawn(move || transactor.run(address, ledger));
            }
            let chores = self.chores.run(address, ledger);
            scope.spawn(|| block_on(chores));
            let moment = u64::from(100 + self.dice.below(700));
            thread::sleep(Duration::from_millis(moment));
            end(broker, ledger);
        });
    }

    /// Looks at all that is left, in every way there is.
    pub(crate) fn finish(mut self) {
        let broker = program().start(self.data, SETTINGS);
        self.check(broker.address());
        self.check_transactions(broker.address(), true);
        broker.stop();
        assert_eq!(findings(self.data), []);
        let ledger = self.ledger.into_inner().unwrap();
        println!("{} records acknowledged, {} there", ledger.acknowledged(), ledger.records());
        println!("{} transactions committed", ledger.committed());
        println!("{} acknowledged after the machine failed, and lost", ledger.too_late_and_lost());
        assert!(ledger.acknowledged() > 0);
        assert_eq!(ledger.verdicts(), []);
    }

    fn check(&mut self, address: SocketAddr) {
        check(&self.ledger, address);
        block_on(self.chores.check(address, self.data));
        self.check_transactions(address, false);
    }

    /// Reads what was committed and not read yet, or all of it `again`.
    fn check_transactions(&self, address: SocketAddr, again: bool) {
        if self.transactors.is_empty() {
            return;
        }
        for transactor in &self.transactors {
            transactor.settle(address);
        }
        for partition in 0..transactor::PARTITIONS {
            let place = (EXACT, partition);
            let mut ledger = self.ledger.lock().unwrap();
            let from = if again { 0 } else { ledger.position(place) };
            let (records, end) = read_committed(address, place, from);
            ledger.note_committed(place, &records, end, again);
        }
    }
}

/// Holds what a broker has of the topics against the ledger.
pub(crate) fn check(ledger: &Mutex<Ledger>, address: SocketAddr) {
    let mut found: BTreeMap<Place, Found> = BTreeMap::new();
    for (topic, _) in TOPICS {
        found.extend(block_on(read_topic(address, topic)));
    }
    ledger.lock().unwrap().check(found);
}

pub(crate) async fn create_topics(address: SocketAddr) -> Result<(), ClientError> {
    let mut cluster = Cluster::connect(&address.to_string(), Duration::from_secs(10)).await?;
    let small_segments =
        CreatableTopicConfig { name: "segment.bytes".into(), value: Some(SEGMENT_BYTES.into()) };
    let request = CreateTopicsRequest {
        topics: TOPICS
            .into_iter()
            .chain([(EXACT, transactor::PARTITIONS)])
            .map(|(name, partitions)| CreatableTopic {
                name: name.into(),
                num_partitions: partitions,
                replication_factor: 1,
                configs: vec![small_segments.clone()],
                ..CreatableTopic::default()
            })
            .collect(),
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    };
    for topic in cluster.call_controller(&request).await?.topics {
        ClientError::check("create a topic", topic.error_code, topic.error_message.as_deref())?;
    }
    Ok(())
}

const TOPICS: [(&str, i32); 2] = [("all", 3), ("mixed", 2)];
/// Where records are deleted now and then.
const TRIMMED: [Place; 4] = [("mixed", 0), ("mixed", 1), ("all", 1), ("all", 2)];
/// Recovery points are noted while producers write, so that recovery begins in the midst of it.
pub(crate) const SETTINGS: &[&str] = &["log.flush.offset.checkpoint.interval.ms=150"];
/// The least that the broker allows.
const SEGMENT_BYTES: &str = "1048576";
