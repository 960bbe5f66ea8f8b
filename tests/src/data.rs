//! Records in and out, as the tests of the wire and of whole processes write and read them.

#![allow(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test may fail by panicking"
)]

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp, Uuid,
    compression::Codec,
    messages::{
        CreateTopicsRequest, FetchRequest, ProduceRequest,
        data::{
            fetch::{FetchPartition, FetchTopic, PartitionData},
            produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData},
        },
        topics::create_topics::{CreatableTopic, CreatableTopicConfig},
    },
    records::{Batch, BatchBuilder},
    wire::{Records, Str},
};

use crate::RawClient;

/// What the records of [`batch`] say when they were made.
pub const MADE: Timestamp = Timestamp(1_700_000_000_000);

/// Creates a topic and returns its id.
pub fn create(
    client: &mut RawClient,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Uuid {
    let configs = configs.iter().map(|&(name, value)| CreatableTopicConfig {
        name: Str::from(name),
        value: Some(Str::from(value)),
    });
    let topic = CreatableTopic {
        name: Str::from(name),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let response = client.ask(7, &request);
    assert_eq!(response.topics[0].error_code, ErrorCode::None);
    response.topics[0].topic_id
}

/// One batch with a record for each value.
pub fn batch(values: &[&str]) -> Bytes {
    fill(BatchBuilder::new(Codec::None), values)
}

/// A batch of an idempotent producer.
pub fn sequenced(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let builder = BatchBuilder::new(Codec::None);
    fill(builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence), values)
}

pub fn fill(mut builder: BatchBuilder, values: &[&str]) -> Bytes {
    for value in values {
        builder.append(MADE, None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A produce request with one batch.
pub fn produce_to(topic: &str, index: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let records = Some(Records::from(records));
    let partition_data = vec![PartitionProduceData { index, records }];
    let topic = TopicProduceData { name: Str::from(topic), partition_data, ..Default::default() };
    let topic_data = vec![topic];
    ProduceRequest { acks, timeout_ms: 10_000, topic_data, ..Default::default() }
}

/// Produces one batch with `acks=all`.
pub fn produce(
    client: &mut RawClient,
    topic: &str,
    index: i32,
    records: Bytes,
) -> PartitionProduceResponse {
    let response = client.ask(9, &produce_to(topic, index, -1, records));
    response.responses[0].partition_responses[0].clone()
}

/// A fetch of one partition that does not wait.
pub fn fetch_of(topic: &str, index: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: index,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let partitions = vec![partition];
    let topic = FetchTopic { topic: Str::from(topic), partitions, ..FetchTopic::default() };
    FetchRequest { max_bytes: 1 << 20, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

/// Fetches one partition from `offset` without waiting.
pub fn fetch(client: &mut RawClient, topic: &str, index: i32, offset: i64) -> PartitionData {
    let response = client.ask(11, &fetch_of(topic, index, offset));
    assert_eq!(response.error_code, ErrorCode::None);
    response.responses[0].partitions[0].clone()
}

/// The values of all records with their offsets.
pub fn values(data: &PartitionData) -> Vec<(i64, String)> {
    let mut rest = data.records.as_ref().and_then(Records::as_bytes).unwrap().clone();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let batch = Batch::split(&mut rest).unwrap();
        for record in batch.records(Default::default()).unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            found.push((record.offset.0, value));
        }
    }
    found
}
