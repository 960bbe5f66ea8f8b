//! One shard's transactions as a [`Machine`].
//!
//! A transaction ends in two phases. A turn decides it: the record with the decision is committed
//! before anybody hears of it. Only then is it handed to whoever waits in [`Request::Endings`], who
//! writes the markers and reports with [`Request::Ended`]; the record of that turn completes it.
//! After a restart everything that is decided and not complete is handed out again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use imbl::{OrdMap, OrdSet};
use milena_protocol::{
    ErrorCode, ProducerId,
    state::{
        decode_value,
        transactions::{TransactionKey, TransactionLogValue},
    },
    wire::Str,
};
use tracing::warn;

use super::{
    Census, Counts, End, Ending, Initialize, Initialized, Level, Limits, NO_TIMEOUT, Producer,
    Reply, Request, State, TopicPartition,
    transaction::{Became, Ended, Refusal, Transaction},
};
use crate::coordinator::runtime::{Alarm, Machine, Ring, Ticket, Turn};

/// The transactions of one shard, by id.
#[derive(Clone, Debug)]
pub struct Transactions {
    limits: Arc<Limits>,
    transactions: OrdMap<Str, Arc<Transaction>>,
    /// Decided, and not handed out yet.
    ready: OrdSet<Str>,
    /// Who waits for them.
    writer: Option<Ticket>,
    last_serial: u64,
    /// When ids are looked through for old ones.
    sweep: Alarm,
    counts: Counts,
    census: Arc<Census>,
}

/// What an alarm of a shard is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The time of an open transaction.
    Timeout(Str),
    Sweep,
}

impl Transactions {
    #[must_use]
    pub fn new(limits: Arc<Limits>, census: Arc<Census>) -> Self {
        Self {
            limits,
            transactions: OrdMap::new(),
            ready: OrdSet::new(),
            writer: None,
            last_serial: 0,
            sweep: Alarm::default(),
            counts: Counts::default(),
            census,
        }
    }

    fn initialize(&mut self, r: &Initialize, turn: &mut Turn<Self>) -> Reply {
        let now = turn.now.wall;
        let mut transaction = match (self.transactions.get(&r.id), r.spare) {
            (Some(found), _) => Transaction::clone(found),
            (None, Some(spare)) => Transaction::new(&r.id, spare, now),
            (None, None) => return Reply::NeedsProducerId,
        };
        match transaction.initialize(r, self.limits.level(), now) {
            Ok(became) => {
                let reply = match became {
                    Became::Is(producer) => Ok(Initialized { producer, ongoing: None }),
                    Became::Keeps(producer) => {
                        set_timeout(&mut transaction, turn);
                        Ok(Initialized { producer, ongoing: Some(transaction.producer) })
                    }
                    Became::Aborting => Err(ErrorCode::ConcurrentTransactions),
                };
                self.put(transaction, turn);
                Reply::Initialize(reply)
            }
            Err(Refusal::Code(code)) => Reply::Initialize(Err(code)),
            Err(Refusal::NeedsProducerId) => Reply::NeedsProducerId,
        }
    }

    fn add(
        &mut self,
        id: &Str,
        producer: Producer,
        partitions: &[TopicPartition],
        client: Level,
        turn: &mut Turn<Self>,
    ) -> ErrorCode {
        let Some(found) = self.transactions.get(id) else {
            return ErrorCode::InvalidProducerIdMapping;
        };
        let began = found.state != State::Ongoing;
        let mut transaction = Transaction::clone(found);
        match transaction.add(producer, partitions, client, turn.now.wall) {
            Ok(true) => {
                if began {
                    set_timeout(&mut transaction, turn);
                }
                self.put(transaction, turn);
                ErrorCode::None
            }
            Ok(false) => ErrorCode::None,
            Err(code) => code,
        }
    }

    fn verify(
        &self,
        id: &Str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Vec<ErrorCode> {
        let found = self.transactions.get(id).ok_or(ErrorCode::InvalidProducerIdMapping);
        let verified = found.and_then(|found| found.verify(producer, partitions));
        verified.unwrap_or_else(|code| vec![code; partitions.len()])
    }

    fn end(&mut self, r: &End, turn: &mut Turn<Self>) -> Reply {
        let Some(found) = self.transactions.get(&r.id) else {
            return Reply::End(Err(ErrorCode::InvalidProducerIdMapping));
        };
        let mut transaction = Transaction::clone(found);
        match transaction.end(r, turn.now.wall) {
            Ok(Ended::Now(producer)) => {
                self.put(transaction, turn);
                Reply::End(Ok(producer))
            }
            Ok(Ended::Before(producer)) => Reply::End(Ok(producer)),
            Err(Refusal::Code(code)) => Reply::End(Err(code)),
            Err(Refusal::NeedsProducerId) => Reply::NeedsProducerId,
        }
    }

    /// Somebody is there to write markers.
    fn wait_for_endings(&mut self, ticket: Ticket, again: bool, turn: &mut Turn<Self>) {
        if let Some(before) = self.writer.replace(ticket) {
            turn.reply(before, Reply::Endings(Vec::new()));
        }
        if again {
            let ending = self.transactions.values().filter(|one| one.state.is_ending());
            self.ready = ending.map(|one| one.id.clone()).collect();
        }
        self.hand_out(turn);
    }

    fn complete(&mut self, id: &Str, serial: u64, turn: &mut Turn<Self>) {
        let found = self.transactions.get(id);
        let found = found.filter(|one| one.state.is_ending() && one.serial == serial);
        if let Some(found) = found {
            let mut transaction = Transaction::clone(found);
            transaction.complete(turn.now.wall);
            self.put(transaction, turn);
        }
    }

    /// Makes a change: in the log, and then here.
    fn put(&mut self, mut transaction: Transaction, turn: &mut Turn<Self>) {
        turn.write(transaction.record(self.limits.level()));
        if transaction.state != State::Ongoing {
            transaction.alarm.switch_off();
        }
        self.ready.remove(&transaction.id);
        if transaction.state.is_ending() {
            self.last_serial += 1;
            transaction.serial = self.last_serial;
            self.ready.insert(transaction.id.clone());
        }
        self.counts.add(transaction.state, 1);
        if let Some(old) = self.transactions.insert(transaction.id.clone(), Arc::new(transaction)) {
            self.counts.add(old.state, -1);
        }
        self.hand_out(turn);
    }

    fn hand_out(&mut self, turn: &mut Turn<Self>) {
        if self.ready.is_empty() {
            return;
        }
        let Some(writer) = self.writer.take() else { return };
        let ids: Vec<Str> = self.ready.iter().take(ENDINGS_PER_REPLY).cloned().collect();
        let mut endings: Vec<Ending> = Vec::with_capacity(ids.len());
        for id in ids {
            self.ready.remove(&id);
            endings.extend(self.transactions.get(&id).map(|found| found.ending()));
        }
        turn.reply(writer, Reply::Endings(endings));
    }

    /// Forgets ids that nobody has used for long.
    fn sweep(&mut self, turn: &mut Turn<Self>) {
        let enough = turn.bytes() + SWEEP_BYTES;
        let now = turn.now.wall.0;
        let is_old = |one: &Transaction| {
            let unused_ms = now.saturating_sub(one.updated.0);
            one.state.may_expire() && unused_ms >= self.limits.id_expiration_ms
        };
        let old: Vec<_> = self.transactions.values().filter(|one| is_old(one)).cloned().collect();
        let mut all = true;
        for transaction in old {
            if turn.bytes() >= enough {
                all = false;
                break;
            }
            turn.write(transaction.tombstone());
            self.counts.add(transaction.state, -1);
            self.transactions.remove(&transaction.id);
        }
        self.arm_sweep(if all { self.check_interval() } else { Duration::ZERO }, turn);
    }

    fn time_out(&mut self, id: &Str, due: Duration, turn: &mut Turn<Self>) {
        let level = self.limits.level();
        let Some(found) = self.transactions.get_mut(id) else { return };
        let found = Arc::make_mut(found);
        match found.alarm.ring(due, turn.now.monotonic) {
            Ring::Stale => {}
            Ring::Later(due) => turn.wake(due, Subject::Timeout(id.clone())),
            Ring::Due => {
                let mut transaction = found.clone();
                if transaction.state == State::Ongoing {
                    transaction.abort(level, turn.now.wall);
                    self.put(transaction, turn);
                }
            }
        }
    }

    fn check_interval(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.limits.expiration_check_ms).unwrap_or(1).max(1))
    }

    fn arm_sweep(&mut self, after: Duration, turn: &mut Turn<Self>) {
        let due = turn.now.monotonic.saturating_add(after);
        if let Some(due) = self.sweep.set(due) {
            turn.wake(due, Subject::Sweep);
        }
    }
}

impl Machine for Transactions {
    type Request = Request;
    type Reply = Reply;
    type Subject = Subject;

    fn replay(&mut self, _producer: Option<ProducerId>, key: Bytes, value: Option<Bytes>) {
        let outcome = TransactionKey::decode(key).and_then(|key| {
            let TransactionKey::Transaction(key) = key;
            let id = key.transactional_id;
            let value = value.map(decode_value::<TransactionLogValue>).transpose()?;
            match value.and_then(|value| Transaction::restore(&id, &value)) {
                Some(restored) => {
                    self.transactions.insert(restored.id.clone(), Arc::new(restored));
                }
                None => _ = self.transactions.remove(&id),
            }
            Ok(())
        });
        if let Err(fault) = outcome {
            warn!(%fault, "passed over a record of transactions that makes no sense");
        }
    }

    fn loaded(&mut self, turn: &mut Turn<Self>) {
        let open: Vec<_> = self
            .transactions
            .values()
            .filter(|one| one.state.is_ending() || one.state == State::Ongoing)
            .cloned()
            .collect();
        for transaction in open {
            let mut transaction = Transaction::clone(&transaction);
            if transaction.state == State::Ongoing {
                set_timeout(&mut transaction, turn);
            } else {
                self.last_serial += 1;
                transaction.serial = self.last_serial;
                self.ready.insert(transaction.id.clone());
            }
            self.transactions.insert(transaction.id.clone(), Arc::new(transaction));
        }
        for transaction in self.transactions.values() {
            self.counts.add(transaction.state, 1);
        }
        self.census.set(self.counts);
        self.arm_sweep(self.check_interval(), turn);
    }

    fn decide(&mut self, ticket: Ticket, request: &Request, turn: &mut Turn<Self>) {
        let reply = match request {
            Request::Initialize(r) => self.initialize(r, turn),
            Request::Add { id, producer, partitions, client } => {
                Reply::Add(self.add(id, *producer, partitions, *client, turn))
            }
            Request::Verify { id, producer, partitions } => {
                Reply::Verify(self.verify(id, *producer, partitions))
            }
            Request::End(r) => self.end(r, turn),
            Request::Describe(id) => {
                Reply::Describe(self.transactions.get(id).map(|found| found.describe()))
            }
            Request::List => {
                Reply::List(self.transactions.values().map(|one| one.list()).collect())
            }
            Request::Endings { again } => {
                return self.wait_for_endings(ticket, *again, turn);
            }
            Request::Ended { id, serial } => {
                self.complete(id, *serial, turn);
                Reply::Ended
            }
        };
        turn.reply(ticket, reply);
        self.census.set(self.counts);
    }

    fn ring(&mut self, subject: &Subject, due: Duration, turn: &mut Turn<Self>) {
        match subject {
            Subject::Timeout(id) => self.time_out(id, due, turn),
            Subject::Sweep => match self.sweep.ring(due, turn.now.monotonic) {
                Ring::Stale => {}
                Ring::Later(due) => turn.wake(due, Subject::Sweep),
                Ring::Due => self.sweep(turn),
            },
        }
        self.census.set(self.counts);
    }
}

/// Has an open transaction aborted when its time is up. One that another system decides about
/// waits for that for ever (KIP-939).
fn set_timeout(transaction: &mut Transaction, turn: &mut Turn<Transactions>) {
    if transaction.timeout_ms == NO_TIMEOUT {
        return transaction.alarm.switch_off();
    }
    let ends_at = transaction.started.0.saturating_add(i64::from(transaction.timeout_ms));
    let left_ms = u64::try_from(ends_at.saturating_sub(turn.now.wall.0)).unwrap_or_default();
    let due = turn.now.monotonic.saturating_add(Duration::from_millis(left_ms));
    if let Some(due) = transaction.alarm.set(due) {
        turn.wake(due, Subject::Timeout(transaction.id.clone()));
    }
}

/// Transactions whose markers are begun to be written at once.
const ENDINGS_PER_REPLY: usize = 256;
/// What a sweep writes in one turn, about.
const SWEEP_BYTES: usize = 64 * 1024;
