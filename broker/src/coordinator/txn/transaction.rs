//! One transactional id: who writes under it, and what becomes of the transaction.
//!
//! Every change is made to a copy, which is then put in the old one's place with its record, or
//! not at all.

use bytes::Bytes;
use imbl::OrdSet;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp,
    state::{
        encode_value,
        transactions::{PartitionsSchema, TransactionKey, TransactionLogKey, TransactionLogValue},
    },
    wire::Str,
};

use super::{Described, End, Ending, Initialize, Level, Listed, Producer, State, TopicPartition};
use crate::coordinator::runtime::{Alarm, StateRecord};

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) id: Str,
    pub(super) state: State,
    pub(super) producer: Producer,
    /// The id before this one, whose epochs were used up.
    previous: ProducerId,
    /// Who takes over when the transaction is complete, where that is not whose records it has: a
    /// new id, as the epochs of this one are used up, or while the transaction is open the
    /// producer that came to end it, who is the only one that may.
    pub(super) next: Option<Producer>,
    /// The epoch before this one, if the same client had it. Only memory knows it.
    last_epoch: ProducerEpoch,
    pub(super) timeout_ms: i32,
    pub(super) partitions: OrdSet<TopicPartition>,
    pub(super) started: Timestamp,
    pub(super) updated: Timestamp,
    /// The rules that whoever changed it last goes by.
    client: Level,
    /// Tells the end of this transaction from those of others under the same id, while the shard
    /// runs. 0 while it has not ended.
    pub(super) serial: u64,
    /// When an open transaction is aborted.
    pub(super) alarm: Alarm,
}

/// Why a request changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Code(ErrorCode),
    /// It needs a producer id that nobody has.
    NeedsProducerId,
}

/// What became of a producer that takes up an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    Is(Producer),
    /// It is there to end the transaction that another one left open.
    Keeps(Producer),
    /// The transaction of whoever was there before is being aborted: it has to ask again.
    Aborting,
}

/// What became of the wish to end a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Now(Producer),
    /// It had that end already: the answer to an earlier request got lost.
    Before(Producer),
}

impl Transaction {
    /// A transactional id that nobody has used yet; its first epoch is still to come.
    pub(super) fn new(id: &Str, producer: ProducerId, now: Timestamp) -> Self {
        Self {
            id: id.detached(),
            state: State::Empty,
            producer: Producer { id: producer, epoch: ProducerEpoch::NONE },
            previous: ProducerId::NONE,
            next: None,
            last_epoch: ProducerEpoch::NONE,
            timeout_ms: 0,
            partitions: OrdSet::new(),
            started: Timestamp::NONE,
            updated: now,
            client: Level::Original,
            serial: 0,
            alarm: Alarm::default(),
        }
    }

    /// What a record says; `None` if it is in a state that records are not written in.
    pub(super) fn restore(id: &Str, value: &TransactionLogValue) -> Option<Self> {
        let listed = value.transaction_partitions.iter().flatten();
        let partitions = listed.flat_map(|topic| {
            let name = topic.topic.detached();
            topic.partition_ids.iter().map(move |&partition| (name.clone(), partition))
        });
        Some(Self {
            id: id.detached(),
            state: State::from_number(value.transaction_status)?,
            producer: Producer {
                id: ProducerId(value.producer_id),
                epoch: ProducerEpoch(value.producer_epoch),
            },
            previous: ProducerId(value.previous_producer_id),
            next: next(value),
            last_epoch: ProducerEpoch::NONE,
            timeout_ms: value.transaction_timeout_ms,
            partitions: partitions.collect(),
            started: Timestamp(value.transaction_start_timestamp_ms),
            updated: Timestamp(value.transaction_last_update_timestamp_ms),
            client: Level::from_number(value.client_transaction_version),
            serial: 0,
            alarm: Alarm::default(),
        })
    }

    /// A producer takes up the id. An open transaction is aborted under the rules of `broker`.
    pub(super) fn initialize(
        &mut self,
        r: &Initialize,
        broker: Level,
        now: Timestamp,
    ) -> Result<Became, Refusal> {
        if r.known.is_some_and(|known| !self.recognises(known)) {
            return Err(Refusal::Code(ErrorCode::ProducerFenced));
        }
        match self.state {
            State::PrepareCommit | State::PrepareAbort => {
                return Err(Refusal::Code(ErrorCode::ConcurrentTransactions));
            }
            State::Ongoing if r.keep_prepared => return self.keep(r, broker, now),
            State::Ongoing => {
                self.abort(broker, now);
                return Ok(Became::Aborting);
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {}
        }
        let known = r.known.map(|known| known.epoch);
        let is_current = known == Some(self.producer.epoch);
        let is_last = known == Some(self.last_epoch);
        if is_used_up(self.producer.epoch) {
            if known.is_some() && !is_current && !is_last {
                return Err(Refusal::Code(ErrorCode::ProducerFenced));
            }
            let id = r.spare.ok_or(Refusal::NeedsProducerId)?;
            self.previous = self.producer.id;
            self.last_epoch = known.unwrap_or(ProducerEpoch::NONE);
            self.producer = Producer { id, epoch: ProducerEpoch(0) };
        } else if known.is_none() || is_current || self.producer.epoch == ProducerEpoch::NONE {
            let last = if known.is_some() { self.producer.epoch } else { ProducerEpoch::NONE };
            self.previous = self.producer.id;
            self.last_epoch = last;
            self.producer.epoch = after(self.producer.epoch);
        } else if !is_last {
            return Err(Refusal::Code(ErrorCode::ProducerFenced));
        }
        self.state = State::Empty;
        self.timeout_ms = r.timeout_ms;
        self.partitions = OrdSet::new();
        self.started = Timestamp::NONE;
        self.updated = now;
        Ok(Became::Is(self.producer))
    }

    /// Puts partitions into the transaction. False if they were there before.
    pub(super) fn add(
        &mut self,
        producer: Producer,
        partitions: &[TopicPartition],
        client: Level,
        now: Timestamp,
    ) -> Result<bool, ErrorCode> {
        // Comes first, as the producer may be one that is about to take over.
        if self.state.is_ending() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        self.check(producer)?;
        self.check_is_written_to()?;
        let ongoing = self.state == State::Ongoing;
        if ongoing && partitions.iter().all(|one| self.partitions.contains(one)) {
            return Ok(false);
        }
        if !ongoing {
            self.started = now;
            self.partitions = OrdSet::new();
        }
        for (topic, partition) in partitions {
            self.partitions.insert((topic.detached(), *partition));
        }
        self.state = State::Ongoing;
        self.updated = now;
        self.client = client;
        Ok(true)
    }

    pub(super) fn verify(
        &self,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.check(producer)?;
        if self.state.is_ending() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        self.check_is_written_to()?;
        let there = |partition| match self.partitions.contains(partition) {
            true => ErrorCode::None,
            false => ErrorCode::TransactionAbortable,
        };
        Ok(partitions.iter().map(there).collect())
    }

    /// A client ends the transaction. While one is ending, nobody's wish is judged: it may be about
    /// the next one, as its producer is told its new epoch before the markers are written.
    pub(super) fn end(&mut self, r: &End, now: Timestamp) -> Result<Ended, Refusal> {
        if self.state.is_ending()
            && [self.producer.id, self.successor().id].contains(&r.producer.id)
        {
            return Err(Refusal::Code(ErrorCode::ConcurrentTransactions));
        }
        match r.client {
            Level::Bumping => self.end_and_bump(r, now),
            Level::Original | Level::Flexible => self.end_as_it_is(r, now).map_err(Refusal::Code),
        }
    }

    /// The broker aborts the transaction, and no epoch that its producer had is valid any more.
    pub(super) fn abort(&mut self, broker: Level, now: Timestamp) {
        self.bump(None);
        if broker < Level::Bumping {
            self.last_epoch = ProducerEpoch::NONE;
        }
        self.state = State::PrepareAbort;
        self.updated = now;
        self.client = broker;
    }

    /// Every partition has its marker.
    pub(super) fn complete(&mut self, now: Timestamp) {
        self.state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            _ => State::CompleteAbort,
        };
        if self.client == Level::Bumping || self.next.is_some() {
            self.previous = self.producer.id;
            self.producer = self.successor();
            self.next = None;
        }
        self.partitions = OrdSet::new();
        self.updated = now;
    }

    pub(super) fn record(&self, broker: Level) -> StateRecord {
        let mut topics: Vec<PartitionsSchema> = Vec::new();
        for (topic, partition) in &self.partitions {
            match topics.last_mut().filter(|last| last.topic == *topic) {
                Some(last) => last.partition_ids.push(*partition),
                None => topics.push(PartitionsSchema {
                    topic: topic.clone(),
                    partition_ids: vec![*partition],
                }),
            }
        }
        let value = TransactionLogValue {
            producer_id: self.producer.id.0,
            producer_epoch: self.producer.epoch.0,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state.number(),
            transaction_partitions: (self.state != State::Empty).then_some(topics),
            transaction_last_update_timestamp_ms: self.updated.0,
            transaction_start_timestamp_ms: self.started.0,
            previous_producer_id: self.previous.0,
            next_producer_id: self.next.map_or(ProducerId::NONE, |next| next.id).0,
            next_producer_epoch: self.next.map_or(ProducerEpoch::NONE, |next| next.epoch).0,
            client_transaction_version: self.client.number(),
        };
        StateRecord { key: self.key(), value: Some(encode_value(&value, broker.record_version())) }
    }

    pub(super) fn tombstone(&self) -> StateRecord {
        StateRecord { key: self.key(), value: None }
    }

    /// What is to be written where, of a transaction that is ending.
    pub(super) fn ending(&self) -> Ending {
        Ending {
            id: self.id.clone(),
            serial: self.serial,
            producer: self.producer,
            commit: self.state == State::PrepareCommit,
            level: self.client,
            partitions: self.partitions.iter().cloned().collect(),
        }
    }

    pub(super) fn describe(&self) -> Described {
        Described {
            state: self.state,
            producer: self.producer,
            timeout_ms: self.timeout_ms,
            started: self.started,
            partitions: self.partitions.iter().cloned().collect(),
        }
    }

    pub(super) fn list(&self) -> Listed {
        Listed {
            id: self.id.clone(),
            producer: self.producer.id,
            state: self.state,
            started: self.started,
        }
    }

    /// The open transaction stays, for a producer that comes to end it (KIP-939). It was left by one
    /// that has prepared it, so nobody adds to it any more, and its time does not get shorter.
    fn keep(&mut self, r: &Initialize, broker: Level, now: Timestamp) -> Result<Became, Refusal> {
        if broker < Level::Bumping {
            // Transactions of one epoch cannot be told from each other: whoever asks what became
            // of the one that it prepared would hear of another.
            return Err(Refusal::Code(ErrorCode::UnsupportedVersion));
        }
        let holder = self.holder();
        let epoch = after(holder.epoch);
        // The end is another epoch: of a second id there is to be one left for it, so that there
        // is never a third.
        let is_second = holder.id != self.producer.id;
        let holder = match is_used_up(holder.epoch) || (is_second && is_used_up(epoch)) {
            true => {
                let id = r.spare.ok_or(Refusal::NeedsProducerId)?;
                Producer { id, epoch: ProducerEpoch(0) }
            }
            false => Producer { id: holder.id, epoch },
        };
        self.next = Some(holder);
        self.timeout_ms = self.timeout_ms.max(r.timeout_ms);
        self.updated = now;
        Ok(Became::Keeps(holder))
    }

    /// The end of a transaction of version 2 is a new epoch, so that a retry is told from the end
    /// of the next transaction by its epoch (KIP-890). One without partitions can be aborted.
    fn end_and_bump(&mut self, r: &End, now: Timestamp) -> Result<Ended, Refusal> {
        let of_epoch_before = self.client == Level::Bumping
            && r.producer.id == self.producer.id
            && after(r.producer.epoch) == self.producer.epoch
            && r.producer.epoch != self.producer.epoch;
        let of_id_before = r.producer.id == self.previous
            && r.producer.epoch == LAST_EPOCH
            && self.producer.epoch == ProducerEpoch(0);
        let is_retry = of_epoch_before || of_id_before;
        let ids = [self.producer.id, self.successor().id];
        if !ids.contains(&r.producer.id) && !of_id_before {
            return Err(Refusal::Code(ErrorCode::InvalidProducerIdMapping));
        }
        let is_current = r.producer == self.holder();
        let is_valid = match self.state {
            State::Empty | State::Ongoing => is_current,
            State::PrepareCommit | State::PrepareAbort => false,
            // Whose epoch no client may have, fences whoever asks.
            State::CompleteCommit | State::CompleteAbort => {
                (is_retry || is_current) && self.producer.epoch <= LAST_EPOCH
            }
        };
        if !is_valid {
            return Err(Refusal::Code(ErrorCode::ProducerFenced));
        }
        let invalid = Err(Refusal::Code(ErrorCode::InvalidTxnState));
        match (self.state, r.commit) {
            (State::Ongoing, _) => {}
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if is_retry => {
                return Ok(Ended::Before(self.producer));
            }
            (State::CompleteCommit | State::CompleteAbort, _) if is_retry => return invalid,
            (State::Empty | State::CompleteCommit | State::CompleteAbort, false) => {
                self.started = now;
            }
            _ => return invalid,
        }
        let spare = match is_used_up(self.holder().epoch) {
            true => Some(r.spare.ok_or(Refusal::NeedsProducerId)?),
            false => None,
        };
        self.bump(spare);
        self.prepare(r, now);
        Ok(Ended::Now(self.successor()))
    }

    /// The end of a transaction of version 1 changes nothing for the producer. Where that is not
    /// whose records it has, the markers fence those who were before it.
    fn end_as_it_is(&mut self, r: &End, now: Timestamp) -> Result<Ended, ErrorCode> {
        self.check(r.producer)?;
        match (self.state, r.commit) {
            (State::Ongoing, _) => {
                if let Some(holder) = self.next {
                    let is_second = holder.id != self.producer.id;
                    self.producer.epoch =
                        if is_second { after(self.producer.epoch) } else { holder.epoch };
                    self.next = is_second.then_some(holder);
                }
                self.prepare(r, now);
                Ok(Ended::Now(self.successor()))
            }
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => {
                Ok(Ended::Before(self.producer))
            }
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    fn prepare(&mut self, r: &End, now: Timestamp) {
        self.state = if r.commit { State::PrepareCommit } else { State::PrepareAbort };
        self.updated = now;
        self.client = r.client;
    }

    /// Takes a new epoch for the markers, and for whoever writes next: another one is on an id of
    /// its own, or takes up `spare`.
    fn bump(&mut self, spare: Option<ProducerId>) {
        let holder = self.holder();
        self.last_epoch = holder.epoch;
        if holder.id == self.producer.id {
            self.producer.epoch = after(holder.epoch);
            self.next = spare.map(|id| Producer { id, epoch: ProducerEpoch(0) });
        } else {
            self.producer.epoch = after(self.producer.epoch);
            self.next = Some(Producer { id: holder.id, epoch: after(holder.epoch) });
        }
    }

    /// Who writes once the transaction is complete.
    fn successor(&self) -> Producer {
        self.next.unwrap_or(self.producer)
    }

    /// Who may ask for something.
    fn holder(&self) -> Producer {
        match self.state.is_ending() && self.client == Level::Bumping {
            // Nobody: this is the epoch of the markers.
            true => self.producer,
            false => self.successor(),
        }
    }

    /// Whether the producer is only there to end the transaction.
    fn is_kept(&self) -> bool {
        self.state == State::Ongoing && self.next.is_some()
    }

    fn check(&self, producer: Producer) -> Result<(), ErrorCode> {
        let holder = self.holder();
        if producer.id != holder.id && producer.id != self.producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if producer != holder || producer.epoch > LAST_EPOCH {
            return Err(ErrorCode::ProducerFenced);
        }
        Ok(())
    }

    fn check_is_written_to(&self) -> Result<(), ErrorCode> {
        if self.is_kept() { Err(ErrorCode::InvalidTxnState) } else { Ok(()) }
    }

    /// Whether a producer that wants to go on may be the one that has the id, or had it until its
    /// epochs were used up.
    fn recognises(&self, known: Producer) -> bool {
        if self.is_kept() {
            return known == self.holder();
        }
        self.producer.epoch == ProducerEpoch::NONE
            || known.id == self.producer.id
            || (known.id == self.previous && is_used_up(known.epoch))
    }

    fn key(&self) -> Bytes {
        let key = TransactionLogKey { transactional_id: self.id.clone() };
        TransactionKey::Transaction(key).encode()
    }
}

/// Who a record says is next. Kafka's own name no epoch with an id that is new.
fn next(value: &TransactionLogValue) -> Option<Producer> {
    let next = Producer {
        id: ProducerId(value.next_producer_id),
        epoch: ProducerEpoch(value.next_producer_epoch.max(0)),
    };
    (next.id != ProducerId::NONE).then_some(next)
}

fn after(epoch: ProducerEpoch) -> ProducerEpoch {
    ProducerEpoch(epoch.0.saturating_add(1))
}

/// Whether no client may have a later epoch: one is left for the broker to fence it with.
fn is_used_up(epoch: ProducerEpoch) -> bool {
    epoch >= LAST_EPOCH
}

/// The last epoch that a client is given.
const LAST_EPOCH: ProducerEpoch = ProducerEpoch(i16::MAX - 1);
