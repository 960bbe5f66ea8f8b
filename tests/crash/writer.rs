//! Producers that write until the broker is gone, and go on with the next one where they were.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex, time::Duration};

use milena_broker::client::{ClientError, Cluster};
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp,
    compression::Codec,
    messages::{
        InitProducerIdRequest, ProduceRequest,
        data::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData},
    },
    records::BatchBuilder,
};

use super::{
    dice::Dice,
    ledger::{Ledger, Place, Value},
};

/// Writes to all partitions of a topic, a request at a time.
pub(crate) struct Writer {
    id: u32,
    topic: &'static str,
    kind: Kind,
    dice: Dice,
    identity: Option<(ProducerId, ProducerEpoch)>,
    /// What comes next in each partition.
    numbers: BTreeMap<i32, u64>,
    /// Sent, and neither acknowledged nor given up.
    unanswered: Vec<Gathered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `acks=all`, and what was not acknowledged is sent again under the same sequence numbers.
    Idempotent,
    /// `acks=all`; what was not acknowledged is given up.
    All,
    /// `acks=1`; what was not acknowledged is given up.
    Leader,
    /// As [`Kind::Leader`], on a machine that may lose its power: an answer promises nothing.
    Hopeful,
    /// In transactions, by a [`Transactor`](super::transactor::Transactor).
    Transactional,
}

impl Kind {
    pub(crate) fn waits_for_all(self) -> bool {
        matches!(self, Self::Idempotent | Self::All | Self::Transactional)
    }
}

/// A batch for one partition.
struct Gathered {
    partition: i32,
    values: Vec<Value>,
}

impl Writer {
    pub(crate) fn new(id: u32, topic: &'static str, kind: Kind, dice: Dice) -> Self {
        let (identity, numbers, unanswered) = (None, BTreeMap::new(), Vec::new());
        Self { id, topic, kind, dice, identity, numbers, unanswered }
    }

    /// Writes until the connection breaks.
    pub(crate) async fn run(&mut self, address: SocketAddr, ledger: &Mutex<Ledger>) {
        match self.write(address, ledger).await {
            Ok(()) | Err(ClientError::Broken { .. } | ClientError::Unreachable { .. }) => {}
            Err(_) if ledger.lock().expect("the ledger").is_failing() => {}
            Err(error) => panic!("writer {}: {error}", self.id),
        }
        if self.kind != Kind::Idempotent {
            self.unanswered.clear();
        }
    }

    async fn write(
        &mut self,
        address: SocketAddr,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), ClientError> {
        let mut cluster = Cluster::connect(&address.to_string(), PATIENCE).await?;
        let topic = cluster.topic(self.topic).await?;
        let leader = topic.partitions.first().map_or(0, |partition| partition.leader_id);
        if self.kind == Kind::Idempotent && self.identity.is_none() {
            self.identity = Some(take_identity(&mut cluster).await?);
        }
        let partitions = i32::try_from(topic.partitions.len()).expect("few partitions");
        loop {
            if self.unanswered.is_empty() {
                self.gather(partitions);
                let mut ledger = ledger.lock().expect("the ledger");
                for batch in &self.unanswered {
                    ledger.note_sent((self.topic, batch.partition), &batch.values);
                }
            }
            let request = ProduceRequest {
                transactional_id: None,
                acks: if self.kind.waits_for_all() { -1 } else { 1 },
                timeout_ms: 10_000,
                topic_data: vec![TopicProduceData {
                    name: self.topic.into(),
                    topic_id: topic.topic_id,
                    partition_data: self.unanswered.iter().map(|it| self.encode(it)).collect(),
                }],
            };
            let answer = cluster.broker(leader).await?.call(&request).await?;
            let results = answer.responses.into_iter().flat_map(|topic| topic.partition_responses);
            self.take(&results.collect::<Vec<_>>(), ledger);
        }
    }

    /// A few records for some of the partitions.
    fn gather(&mut self, partitions: i32) {
        let left_out = self.dice.below(4);
        for partition in (0..partitions).filter(|&it| it.cast_unsigned() != left_out) {
            let next = self.numbers.entry(partition).or_default();
            let mut values = Vec::new();
            for _ in 0..=self.dice.below(6) {
                let padding = 1 + self.dice.below(6000) as usize;
                values.push(Value { writer: self.id, number: *next, padding });
                *next += 1;
            }
            self.unanswered.push(Gathered { partition, values });
        }
    }

    fn encode(&self, batch: &Gathered) -> PartitionProduceData {
        let mut builder = BatchBuilder::new(Codec::None);
        if let (Some((id, epoch)), Some(first)) = (self.identity, batch.values.first()) {
            // One record is one sequence number, and both begin at 0.
            let sequence = i32::try_from(first.number).expect("few records");
            builder = builder.producer(id, epoch, sequence);
        }
        for value in &batch.values {
            let at = Timestamp(i64::try_from(value.number).expect("few records"));
            builder.append(at, None, Some(value.text().as_bytes()), &[]).expect("a record");
        }
        let records = builder.build().expect("a batch");
        PartitionProduceData { index: batch.partition, records: Some(records.into()) }
    }

    fn take(&mut self, results: &[PartitionProduceResponse], ledger: &Mutex<Ledger>) {
        let mut ledger = ledger.lock().expect("the ledger");
        for batch in std::mem::take(&mut self.unanswered) {
            let place: Place = (self.topic, batch.partition);
            let result = results.iter().find(|result| result.index == batch.partition);
            let result = result.expect("an answer for each partition");
            if ledger.is_failing() {
                if result.error_code == ErrorCode::None && self.kind.waits_for_all() {
                    ledger.note_too_late(place, result.base_offset, &batch.values);
                }
                self.unanswered.push(batch);
                continue;
            }
            assert_eq!(result.error_code, ErrorCode::None, "writer {} to {place:?}", self.id);
            if self.kind != Kind::Hopeful {
                ledger.note_acknowledged(place, result.base_offset, &batch.values);
            }
        }
    }
}

async fn take_identity(cluster: &mut Cluster) -> Result<(ProducerId, ProducerEpoch), ClientError> {
    let answer = cluster.call(&InitProducerIdRequest::default()).await?;
    ClientError::check("producer id", answer.error_code, None)?;
    Ok((ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch)))
}

const PATIENCE: Duration = Duration::from_secs(10);
