//! A shard of transactions on a table of its own: time stands still until it is moved, and every
//! turn has the fate that it is given.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use milena_protocol::{
    ErrorCode, ProducerId, Timestamp,
    state::{
        encode_value,
        transactions::{TransactionKey, TransactionLogKey, TransactionLogValue},
    },
};

use crate::{
    config::BrokerConfig,
    coordinator::{
        runtime::{Entry, Machine, Now, StateRecord, Ticket, Turn},
        txn::{
            Census, Described, End, Ending, Initialize, Initialized, Level, Limits, Producer,
            Reply, Request, Subject, TopicPartition, Transactions,
        },
    },
};

#[derive(Debug)]
pub(super) struct Bench {
    machine: Transactions,
    log: Vec<StateRecord>,
    pub(super) now: Now,
    alarms: BTreeMap<(Duration, u64), Subject>,
    limits: Arc<Limits>,
    count: u64,
}

/// What becomes of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Written,
    /// The log takes nothing: the turn is taken back.
    Refused,
    /// The broker stops before the records are in the log, and starts again.
    CrashBefore,
    /// It stops once they are, and nobody hears of it.
    CrashAfter,
}

/// What whoever waits for the turn hears.
pub(super) type Replies = Option<Vec<(Ticket, Reply)>>;

impl Bench {
    pub(super) fn new(level: Level) -> Self {
        let config = BrokerConfig::from_settings(BTreeMap::new()).unwrap();
        let limits = Arc::new(Limits::from_config(&config));
        limits.set_level(level);
        let mut bench = Self {
            machine: Transactions::new(Arc::clone(&limits), Arc::default()),
            log: Vec::new(),
            now: Now { wall: Timestamp(1_000_000), monotonic: Duration::from_secs(100) },
            alarms: BTreeMap::new(),
            limits,
            count: 0,
        };
        bench.start();
        bench
    }

    /// Stops, and starts from the records.
    pub(super) fn crash(&mut self) {
        self.machine = Transactions::new(Arc::clone(&self.limits), Arc::new(Census::default()));
        self.alarms.clear();
        self.start();
    }

    /// Leaves of each key the last record, as compaction does.
    pub(super) fn compact(&mut self) {
        let mut last = BTreeMap::new();
        for record in std::mem::take(&mut self.log) {
            last.insert(record.key.clone(), record);
        }
        self.log = last.into_values().collect();
    }

    /// Has `requests` decided in one turn. `None`: nobody hears anything.
    pub(super) fn turn(&mut self, fate: Fate, requests: &[(Ticket, Request)]) -> Replies {
        self.conclude(fate, |machine, turn| {
            for (ticket, request) in requests {
                machine.decide(*ticket, request, turn);
            }
        })
    }

    /// Moves time on, and has the alarms ring that are due; one whose turn is refused rings again.
    pub(super) fn advance(&mut self, by: Duration, mut fate: impl FnMut() -> Fate) -> Replies {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.now.wall = Timestamp(self.now.wall.0 + millis);
        self.now.monotonic += by;
        let mut told = Vec::new();
        while let Some((&(due, at), _)) = self.alarms.first_key_value() {
            if due > self.now.monotonic {
                break;
            }
            let Some(subject) = self.alarms.remove(&(due, at)) else { break };
            let fate = fate();
            match self.conclude(fate, |machine, turn| machine.ring(&subject, due, turn)) {
                Some(replies) => told.extend(replies),
                None if fate == Fate::Refused => {
                    self.alarms.insert((due, at), subject);
                    break;
                }
                None => return None,
            }
        }
        Some(told)
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.count += 1;
        Ticket(self.count)
    }

    /// The reply to a request that meets no fault.
    pub(super) fn answer(&mut self, request: Request) -> Reply {
        let ticket = self.ticket();
        let replies = self.turn(Fate::Written, &[(ticket, request)]).unwrap();
        replies.into_iter().find(|(to, _)| *to == ticket).expect("answered at once").1
    }

    pub(super) fn initialize(&mut self, known: Option<Producer>) -> Result<Producer, ErrorCode> {
        self.initialize_with(|r| r.known = known).map(|initialized| initialized.producer)
    }

    /// Takes the id up by a request that `adapt` has changed.
    pub(super) fn initialize_with(
        &mut self,
        adapt: impl FnOnce(&mut Initialize),
    ) -> Result<Initialized, ErrorCode> {
        let mut r = Initialize { spare: Some(self.spare()), ..initialize() };
        adapt(&mut r);
        match self.answer(Request::Initialize(r)) {
            Reply::Initialize(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn add(&mut self, producer: Producer, partition: i32) -> ErrorCode {
        match self.answer(add(producer, partition, Level::Original)) {
            Reply::Add(code) => code,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn end(
        &mut self,
        producer: Producer,
        commit: bool,
        client: Level,
    ) -> Result<Producer, ErrorCode> {
        let spare = Some(self.spare());
        let r = End { id: "x".into(), producer, commit, client, spare };
        match self.answer(Request::End(r)) {
            Reply::End(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Takes what is to be ended, if there is something.
    pub(super) fn endings(&mut self, again: bool) -> Vec<Ending> {
        let ticket = self.ticket();
        let replies = self.turn(Fate::Written, &[(ticket, Request::Endings { again })]);
        replies.unwrap().into_iter().flat_map(|(_, reply)| endings_of(reply)).collect()
    }

    /// Reports that all markers are written.
    pub(super) fn ended(&mut self, ending: &Ending) {
        let request = Request::Ended { id: ending.id.clone(), serial: ending.serial };
        assert_eq!(self.answer(request), Reply::Ended);
    }

    pub(super) fn describe(&mut self) -> Option<Described> {
        match self.answer(Request::Describe("x".into())) {
            Reply::Describe(found) => found,
            other => panic!("{other:?}"),
        }
    }

    /// Makes `producer` the one that has the id, with nothing open.
    pub(super) fn wear_out(&mut self, producer: Producer) {
        let key = TransactionLogKey { transactional_id: "x".into() };
        let value = TransactionLogValue {
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            transaction_timeout_ms: TIMEOUT_MS,
            transaction_start_timestamp_ms: Timestamp::NONE.0,
            ..TransactionLogValue::default()
        };
        let key = TransactionKey::Transaction(key).encode();
        self.log.push(StateRecord { key, value: Some(encode_value(&value, 1)) });
        self.crash();
    }

    fn spare(&self) -> ProducerId {
        ProducerId(i64::try_from(self.count).unwrap())
    }

    fn conclude(
        &mut self,
        fate: Fate,
        decide: impl FnOnce(&mut Transactions, &mut Turn<Transactions>),
    ) -> Replies {
        let before = self.machine.clone();
        let mut turn = Turn::new(self.now);
        decide(&mut self.machine, &mut turn);
        let (entries, replies, alarms) = turn.into_parts();
        if matches!(fate, Fate::Written | Fate::CrashAfter) {
            self.log.extend(entries.into_iter().map(|entry| match entry {
                Entry::Record(record) => record,
                other => panic!("{other:?} of a coordinator of transactions"),
            }));
        }
        match fate {
            Fate::Written => {
                for (due, subject) in alarms {
                    self.count += 1;
                    self.alarms.insert((due, self.count), subject);
                }
                Some(replies)
            }
            Fate::Refused => {
                self.machine = before;
                None
            }
            Fate::CrashBefore | Fate::CrashAfter => {
                self.crash();
                None
            }
        }
    }

    fn start(&mut self) {
        for record in self.log.clone() {
            self.machine.replay(None, record.key, record.value);
        }
        self.conclude(Fate::Written, |machine, turn| machine.loaded(turn));
    }
}

pub(super) fn add(producer: Producer, partition: i32, client: Level) -> Request {
    let partitions: Vec<TopicPartition> = vec![("t".into(), partition)];
    Request::Add { id: "x".into(), producer, partitions, client }
}

/// The request of somebody who knows of nobody before.
pub(super) fn initialize() -> Initialize {
    let id = "x".into();
    Initialize { id, timeout_ms: TIMEOUT_MS, keep_prepared: false, known: None, spare: None }
}

pub(super) fn endings_of(reply: Reply) -> Vec<Ending> {
    match reply {
        Reply::Endings(endings) => endings,
        _ => Vec::new(),
    }
}

pub(super) const TIMEOUT_MS: i32 = 60_000;
