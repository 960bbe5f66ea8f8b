//! A producer that writes in transactions until the broker is gone, and goes on with the next one
//! under the same id; and a reader that wants only what was committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Mutex,
};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp,
    compression::Codec,
    messages::{
        AddPartitionsToTxnRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest,
        InitProducerIdRequest, ProduceRequest,
        data::produce::{PartitionProduceData, TopicProduceData},
        txn::add_partitions_to_txn::AddPartitionsToTxnTopic,
    },
    records::{Batch, BatchBuilder, EndTxnMarker},
    wire::{Records, Str},
};
use milena_tests::{RawClient, data::fetch_of, history::End, wait_until};

use super::{
    dice::Dice,
    ledger::{Ledger, Place, Value},
};

pub(crate) struct Transactor {
    id: u32,
    dice: Dice,
    /// What comes next in each partition.
    numbers: BTreeMap<i32, u64>,
    transactions: u64,
}

/// Who a transactor is while a broker lives.
struct Identity {
    producer_id: i64,
    producer_epoch: i16,
    sequences: BTreeMap<i32, i32>,
}

impl Transactor {
    pub(crate) fn new(id: u32, dice: Dice) -> Self {
        Self { id, dice, numbers: BTreeMap::new(), transactions: 0 }
    }

    /// Has what an earlier broker left open of its transactions ended.
    pub(crate) fn settle(&self, address: SocketAddr) {
        self.begin(&mut RawClient::connect(address)).expect("a broker that lives");
    }

    /// Writes until the connection breaks.
    pub(crate) fn run(&mut self, address: SocketAddr, ledger: &Mutex<Ledger>) {
        let Ok(mut client) = RawClient::try_connect(address) else { return };
        let Some(mut identity) = self.begin(&mut client) else { return };
        while self.transact(&mut client, &mut identity, ledger).is_some() {}
    }

    fn name(&self) -> Str {
        Str::from(format!("transactor {}", self.id))
    }

    fn begin(&self, client: &mut RawClient) -> Option<Identity> {
        let find = FindCoordinatorRequest {
            key: self.name(),
            key_type: 1,
            ..FindCoordinatorRequest::default()
        };
        let init = InitProducerIdRequest {
            transactional_id: Some(self.name()),
            transaction_timeout_ms: 60_000,
            ..InitProducerIdRequest::default()
        };
        patiently(|| Some(client.try_ask(2, &find)?.error_code))?;
        let mut identity = None;
        patiently(|| {
            let answer = client.try_ask(4, &init)?;
            identity = Some((answer.producer_id, answer.producer_epoch));
            Some(answer.error_code)
        })?;
        let (producer_id, producer_epoch) = identity?;
        Some(Identity { producer_id, producer_epoch, sequences: BTreeMap::new() })
    }

    /// One transaction; `None` once the connection is broken.
    fn transact(
        &mut self,
        client: &mut RawClient,
        identity: &mut Identity,
        ledger: &Mutex<Ledger>,
    ) -> Option<()> {
        self.transactions += 1;
        let transaction = u64::from(self.id) << 48 | self.transactions;
        let batches: Vec<(i32, Vec<Value>)> =
            (0..PARTITIONS).map(|partition| (partition, self.gather(partition))).collect();
        {
            let mut ledger = ledger.lock().expect("the ledger");
            for (partition, values) in &batches {
                ledger.note_sent((EXACT, *partition), values);
                ledger.note_in_transaction((EXACT, *partition), values, transaction);
            }
            // So it is, unless it is told to be committed.
            ledger.note_end(transaction, End::Aborted);
        }
        let add = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.name(),
            v3_and_below_producer_id: identity.producer_id,
            v3_and_below_producer_epoch: identity.producer_epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: EXACT.into(),
                partitions: (0..PARTITIONS).collect(),
            }],
            ..AddPartitionsToTxnRequest::default()
        };
        patiently(|| {
            let answer = client.try_ask(3, &add)?;
            let topics = answer.results_by_topic_v3_and_below.into_iter();
            let mut results = topics.flat_map(|topic| topic.results_by_partition);
            let failed = results.find(|it| it.partition_error_code != ErrorCode::None);
            Some(failed.map_or(ErrorCode::None, |failed| failed.partition_error_code))
        })?;
        self.produce(client, identity, &batches, ledger)?;
        let committed = self.dice.below(4) > 0;
        if committed {
            ledger.lock().expect("the ledger").note_end(transaction, End::Unknown);
        }
        let end = EndTxnRequest {
            transactional_id: self.name(),
            producer_id: identity.producer_id,
            producer_epoch: identity.producer_epoch,
            committed,
        };
        patiently(|| Some(client.try_ask(3, &end)?.error_code))?;
        if committed {
            ledger.lock().expect("the ledger").note_end(transaction, End::Committed);
        }
        Some(())
    }

    fn produce(
        &self,
        client: &mut RawClient,
        identity: &mut Identity,
        batches: &[(i32, Vec<Value>)],
        ledger: &Mutex<Ledger>,
    ) -> Option<()> {
        let partition_data = batches.iter().map(|(index, values)| PartitionProduceData {
            index: *index,
            records: Some(identity.batch(*index, values).into()),
        });
        let request = ProduceRequest {
            transactional_id: Some(self.name()),
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: EXACT.into(),
                partition_data: partition_data.collect(),
                ..TopicProduceData::default()
            }],
        };
        let answer = client.try_ask(9, &request)?;
        let mut ledger = ledger.lock().expect("the ledger");
        for result in &answer.responses[0].partition_responses {
            assert_eq!(result.error_code, ErrorCode::None, "transactor {}", self.id);
            let values = batches.iter().find(|(index, _)| *index == result.index);
            let (index, values) = values.expect("a partition that was written to");
            ledger.note_acknowledged((EXACT, *index), result.base_offset, values);
        }
        Some(())
    }

    fn gather(&mut self, partition: i32) -> Vec<Value> {
        let next = self.numbers.entry(partition).or_default();
        let first = *next;
        *next += 1 + u64::from(self.dice.below(3));
        let padding = 1 + self.dice.below(500) as usize;
        (first..*next).map(|number| Value { writer: self.id, number, padding }).collect()
    }
}

impl Identity {
    fn batch(&mut self, partition: i32, values: &[Value]) -> Bytes {
        let sequence = self.sequences.entry(partition).or_default();
        let (id, epoch) = (ProducerId(self.producer_id), ProducerEpoch(self.producer_epoch));
        let builder = BatchBuilder::new(Codec::None).producer(id, epoch, *sequence);
        let mut builder = builder.transactional(true);
        for value in values {
            let at = Timestamp(i64::try_from(value.number).expect("few records"));
            builder.append(at, None, Some(value.text().as_bytes()), &[]).expect("a record");
        }
        *sequence += i32::try_from(values.len()).expect("few records");
        builder.build().expect("a batch")
    }
}

/// Asks again while the coordinator is not ready; `None` if the connection breaks.
fn patiently(mut ask: impl FnMut() -> Option<ErrorCode>) -> Option<()> {
    let mut last = None;
    wait_until("a coordinator that is ready", || {
        last = ask();
        match last {
            None | Some(ErrorCode::None) => true,
            Some(
                ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::ConcurrentTransactions,
            ) => false,
            Some(code) => panic!("{code:?}"),
        }
    });
    last.map(drop)
}

/// All that is committed of the records from an offset on, once nothing is undecided any more;
/// and where the partition ends.
pub(crate) fn read_committed(
    address: SocketAddr,
    place: Place,
    from: i64,
) -> (Vec<(i64, Value)>, i64) {
    let mut client = RawClient::connect(address);
    let (mut found, mut next, mut end) = (Vec::new(), from, 0);
    wait_until("all is decided and read", || {
        let mut request = fetch_of(place.0, place.1, next);
        request.isolation_level = 1;
        let answer = client.ask::<FetchRequest>(11, &request);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None, "{place:?} from {next}");
        let mut aborted = partition.aborted_transactions.clone().unwrap_or_default();
        let mut skipped = BTreeSet::new();
        let mut bytes = partition.records.as_ref().and_then(Records::as_bytes).unwrap().clone();
        while !bytes.is_empty() {
            // The last one may be cut.
            let Ok(batch) = Batch::split(&mut bytes) else { break };
            aborted.retain(|one| {
                let begun = one.first_offset <= batch.last_offset().0;
                if begun {
                    skipped.insert(one.producer_id);
                }
                !begun
            });
            let producer = batch.producer_id().0;
            for record in batch.records(Default::default()).expect("records") {
                let record = record.expect("a record");
                if batch.is_control() {
                    let marker = EndTxnMarker::read(&record).expect("a marker");
                    if marker.is_some_and(|marker| !marker.commit) {
                        skipped.remove(&producer);
                    }
                } else if record.offset.0 >= next && !skipped.contains(&producer) {
                    let value = record.value.expect("a value");
                    let value = std::str::from_utf8(&value).ok().and_then(Value::parse);
                    found.push((record.offset.0, value.expect("a value as it was sent")));
                }
            }
            next = batch.last_offset().0 + 1;
        }
        end = partition.high_watermark;
        next >= end
    });
    (found, end)
}

/// What transactors write to.
pub(crate) const EXACT: &str = "exact";
pub(crate) const PARTITIONS: i32 = 2;
