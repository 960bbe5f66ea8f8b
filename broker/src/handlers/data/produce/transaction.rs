//! Transactional batches: what the coordinator is asked before one is the first of its transaction
//! at a partition (KIP-890).
//!
//! Until v11 a producer names its partitions in AddPartitionsToTxn, and the coordinator is asked
//! whether it did: a batch that comes late, when its transaction is over, would otherwise open one
//! that nobody ever ends. From v12 on the question puts the partition into the transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp,
    messages::data::produce::{ProduceRequest, TopicProduceData},
    records::BatchHeader,
    wire::{Records, Str},
};
use milena_storage::producers::VerificationGuard;

use super::find;
use crate::{replica::Partition, services::Services};

/// A partition's place in the request: its topic's, and its own in that.
pub(super) type Place = (usize, usize);

/// What the coordinator said of the partitions that it was asked about.
pub(super) type Verdicts = BTreeMap<Place, Result<VerificationGuard, ErrorCode>>;

/// What is to be asked about one request.
#[derive(Debug)]
struct Questions {
    id: Str,
    producer: ProducerId,
    epoch: ProducerEpoch,
    partitions: Vec<(Str, i32)>,
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    place: Place,
    guard: VerificationGuard,
    beginning: Beginning,
}

/// What a verification begins with.
#[derive(Debug)]
struct Beginning {
    partition: Arc<Partition>,
    producer: ProducerId,
    epoch: ProducerEpoch,
    sequence: i32,
    version: i16,
    now: Timestamp,
}

impl Beginning {
    /// `None` if there is nothing to verify.
    fn begin(&self) -> Option<VerificationGuard> {
        let Self { partition, producer, epoch, sequence, version, now } = self;
        let bumps = adds_partitions(*version);
        partition.write(|log| log.begin_verification(*producer, *epoch, *sequence, bumps, *now))
    }
}

/// What the answers are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Final,
    /// The transaction before is still ending.
    NotYet,
    /// The partition is in the transaction, but a marker came meanwhile.
    Stale,
}

impl Asked {
    fn is_void(&self) -> bool {
        let present = self.beginning.begin();
        present.is_some_and(|present| present != self.guard)
    }
}

/// Asks the coordinator what has to be asked before `request` is appended.
///
/// Where partitions are added by writing, the client sends the next transaction as soon as the
/// decision about the last one is made. That one may be ending still, which is waited for; and its
/// marker may come between the question and the answer. Then the question is put once more: the
/// answer said that no marker is left to come.
pub(super) async fn verdicts(
    services: &Services,
    version: i16,
    now: Timestamp,
    request: &ProduceRequest,
) -> Verdicts {
    let mut pause = PAUSE_MIN;
    let mut waited = Duration::ZERO;
    let mut asked_again = 0;
    loop {
        let Some(questions) = Questions::about(services, version, now, request) else {
            return Verdicts::new();
        };
        let (answers, verdicts) = questions.ask(services, version).await;
        match answers {
            Answers::NotYet if adds_partitions(version) && waited < PATIENCE => {
                let timers = &services.timers;
                timers.sleep_until(timers.now().saturating_add(pause)).await;
                waited += pause;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Answers::Stale if adds_partitions(version) && asked_again < ASKED_AGAIN_MAX => {
                asked_again += 1;
            }
            _ => return verdicts,
        }
    }
}

/// Whether a request may be looked at batch by batch.
///
/// # Errors
/// The code of every partition.
pub(super) fn check(request: &ProduceRequest) -> Result<(), ErrorCode> {
    let mut producers = None;
    for records in request.topic_data.iter().flat_map(records) {
        if !is_transactional(records) {
            continue;
        }
        if request.transactional_id.is_none() {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if let Some(header) = of_a_producer(records) {
            let producer = (header.producer_id, header.producer_epoch);
            if *producers.get_or_insert(producer) != producer {
                return Err(ErrorCode::InvalidProducerIdMapping);
            }
        }
    }
    Ok(())
}

/// Whether the coordinator has to be asked before `request` is appended.
pub(super) fn has_questions(
    services: &Services,
    version: i16,
    now: Timestamp,
    request: &ProduceRequest,
) -> bool {
    Questions::about(services, version, now, request).is_some()
}

impl Questions {
    /// `None` if nothing need be asked: each transaction has records at its partition already, or
    /// there is none.
    fn about(
        services: &Services,
        version: i16,
        now: Timestamp,
        request: &ProduceRequest,
    ) -> Option<Self> {
        let id = request.transactional_id.as_ref()?;
        if !adds_partitions(version) && !services.config.load().transaction_verification {
            return None;
        }
        let mut questions: Option<Self> = None;
        for (at, topic) in request.topic_data.iter().enumerate() {
            // What is missing is told by whoever appends.
            let Ok(found) = find(services, version, &topic.name, topic.topic_id) else { continue };
            for (place, data) in topic.partition_data.iter().enumerate() {
                let records = data.records.as_ref().and_then(Records::as_bytes);
                let Some(records) = records.filter(|it| is_transactional(it)) else { continue };
                let Some(header) = of_a_producer(records) else { continue };
                let Ok(partition) = found.partition(data.index) else { continue };
                let (producer, epoch) = (header.producer_id, header.producer_epoch);
                let sequence = header.base_sequence;
                let beginning = Beginning { partition, producer, epoch, sequence, version, now };
                let Some(guard) = beginning.begin() else { continue };
                let questions = questions.get_or_insert_with(|| Self {
                    id: id.clone(),
                    producer,
                    epoch,
                    partitions: Vec::new(),
                    asked: Vec::new(),
                });
                questions.partitions.push((found.name.clone(), data.index));
                questions.asked.push(Asked { place: (at, place), guard, beginning });
            }
        }
        questions
    }

    /// Asks them, in the version of the request.
    async fn ask(self, services: &Services, version: i16) -> (Answers, Verdicts) {
        let codes = self.put(services, version).await;
        let answers = if codes.contains(&ErrorCode::ConcurrentTransactions) {
            Answers::NotYet
        } else if codes.iter().all(|&code| code == ErrorCode::None)
            && self.asked.iter().any(Asked::is_void)
        {
            Answers::Stale
        } else {
            Answers::Final
        };
        let verdicts = self.asked.into_iter().zip(codes).map(|(asked, code)| {
            let verdict = match code {
                ErrorCode::None => Ok(asked.guard),
                code => Err(told_in(code, version)),
            };
            (asked.place, verdict)
        });
        (answers, verdicts.collect())
    }

    async fn put(&self, services: &Services, version: i16) -> Vec<ErrorCode> {
        let Self { id, producer, epoch, partitions, .. } = self;
        let transactions = &services.transactions;
        if adds_partitions(version) {
            transactions.add_partitions(id, *producer, *epoch, partitions).await
        } else {
            transactions.verify(id, *producer, *epoch, partitions).await
        }
    }
}

/// The coordinator's code as a producer of this version takes it.
fn told_in(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        // Since 2.7 the code of a produce that lets the client abort and go on.
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if version < FIRST_WITH_ABORTABLE => {
            ErrorCode::InvalidTxnState
        }
        // A producer tries again, and does not look the leader up for it.
        ErrorCode::ConcurrentTransactions
        | ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
        code => code,
    }
}

fn adds_partitions(version: i16) -> bool {
    version >= FIRST_WITH_IMPLICIT_PARTITIONS
}

fn records(topic: &TopicProduceData) -> impl Iterator<Item = &bytes::Bytes> {
    let records = topic.partition_data.iter().map(|data| data.records.as_ref());
    records.filter_map(|records| records.and_then(Records::as_bytes))
}

/// A transaction is a producer's: a batch of none is like any other.
fn of_a_producer(records: &[u8]) -> Option<BatchHeader> {
    let header = BatchHeader::read(records).ok()?;
    (header.producer_id > ProducerId::NONE).then_some(header)
}

/// Without a look at the rest of the header: most batches belong to no transaction.
fn is_transactional(records: &[u8]) -> bool {
    let current = records.get(MAGIC_AT).is_some_and(|&magic| magic == 2);
    current && records.get(ATTRIBUTES_AT).is_some_and(|&low| low & TRANSACTIONAL != 0)
}

const FIRST_WITH_ABORTABLE: i16 = 11;
const FIRST_WITH_IMPLICIT_PARTITIONS: i16 = 12;
/// Where a batch has its format and the low byte of its attributes.
const MAGIC_AT: usize = 16;
const ATTRIBUTES_AT: usize = 22;
const TRANSACTIONAL: u8 = 1 << 4;
/// How long a producer's next transaction waits for the last one to end, before it is told to try
/// again itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a question is put once more because a marker had come.
const ASKED_AGAIN_MAX: usize = 3;
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinators_code_becomes_one_that_the_producer_knows() {
        let cases = [
            (ErrorCode::TransactionAbortable, 10, ErrorCode::InvalidTxnState),
            (ErrorCode::TransactionAbortable, 11, ErrorCode::TransactionAbortable),
            (ErrorCode::TransactionAbortable, 12, ErrorCode::TransactionAbortable),
            (ErrorCode::ProducerFenced, 3, ErrorCode::InvalidProducerEpoch),
            (ErrorCode::NotCoordinator, 9, ErrorCode::NotEnoughReplicas),
            (ErrorCode::CoordinatorLoadInProgress, 12, ErrorCode::NotEnoughReplicas),
            (ErrorCode::ConcurrentTransactions, 12, ErrorCode::NotEnoughReplicas),
            (ErrorCode::InvalidProducerIdMapping, 12, ErrorCode::InvalidProducerIdMapping),
        ];
        for (code, version, told) in cases {
            assert_eq!(told_in(code, version), told, "{code:?} in v{version}");
        }
    }
}
