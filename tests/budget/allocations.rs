//! Allocations of the broker for each request. One test, since all threads share the count.

use std::sync::Arc;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        FetchRequest, ProduceRequest,
        data::{
            fetch::{FetchPartition, FetchTopic},
            produce::{PartitionProduceData, TopicProduceData},
        },
    },
};
use milena_storage::fs::{Pool, RealDisk};
use milena_tests::{RawClient, TestBroker, TestClock, data, request_frame};

use crate::counting::allocations_beside;

#[test]
fn requests_keep_within_their_allocations() {
    let found = [
        ("produce of 1 KB, acks=1", produce(1_000, 1, "os"), 7),
        ("produce of 1 KB, acks=all", produce(1_000, -1, "os"), 8),
        ("produce of 1 KB, acks=all, synced", produce(1_000, -1, "ack"), 10),
        ("produce of 1 MB, acks=1", produce(1_000_000, 1, "os"), 10),
        ("fetch of 1 KB", fetch(1_000), 10),
        ("fetch of 1 MB", fetch(1_000_000), 10),
        ("fetch of a session of 10, all of them active", session(10), 36),
        ("fetch of a session of 1,000 with 10 active", session(1_000), 46),
    ];
    let beyond = found.iter().filter(|(_, count, budget)| count > budget);
    let beyond: Vec<String> = beyond
        .map(|(what, count, budget)| format!("{what}: {count} allocations, budget {budget}"))
        .collect();
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

/// With as many files as a broker may have open that may have 20,000 descriptors.
fn broker(policy: &str) -> TestBroker {
    let disk = Pool::new(Arc::new(RealDisk), 4_375);
    TestBroker::start_with(TestClock::Real, Arc::new(disk), &[("log.flush.policy", policy)])
}

fn produce(bytes: usize, acks: i16, policy: &str) -> u64 {
    let broker = broker(policy);
    let mut client = broker.connect();
    let topic_id = data::create(&mut client, "t", 1, &[]);
    let frame = request_frame(1, PRODUCE, &produce_of(topic_id, acks, &value(bytes)));
    per_request(&mut client, &frame, |client| {
        let answer = client.finish::<ProduceRequest>(PRODUCE, 1);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::None);
    })
}

fn fetch(bytes: usize) -> u64 {
    let broker = broker("os");
    let mut client = broker.connect();
    let topic_id = data::create(&mut client, "t", 1, &[]);
    let stored = produce_of(topic_id, -1, &value(bytes));
    let answer = client.ask(PRODUCE, &stored);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::None);
    let frame = request_frame(1, FETCH, &fetch_of(topic_id));
    per_request(&mut client, &frame, |client| {
        let answer = client.finish::<FetchRequest>(FETCH, 1);
        let records = answer.responses[0].partitions[0].records.as_ref().unwrap();
        assert!(records.len() >= bytes);
    })
}

/// A fetch of a session with so many partitions, ten of which have a record that is never read.
fn session(partitions: i32) -> u64 {
    let broker = broker("os");
    let mut client = broker.connect();
    let topic_id = data::create(&mut client, "t", partitions, &[]);
    for active in 0..ACTIVE {
        data::produce(&mut client, "t", active * (partitions / ACTIVE), data::batch(&["v"]));
    }
    let mut request = fetch_of(topic_id);
    let one = request.topics[0].partitions[0].clone();
    let all = (0..partitions).map(|partition| FetchPartition { partition, ..one.clone() });
    request.topics[0].partitions = all.collect();
    request.session_epoch = 0;
    let session_id = client.ask(FETCH, &request).session_id;
    assert_ne!(session_id, 0);

    request.topics.clear();
    request.session_id = session_id;
    let mut ask = |times| {
        for _ in 0..times {
            request.session_epoch += 1;
            let answer = client.ask(FETCH, &request);
            assert_eq!(answer.responses[0].partitions.len(), ACTIVE_PLACES);
        }
    };
    ask(WARM_UP);
    allocations_beside(|| ask(COUNTED)) / u64::from(COUNTED)
}

/// The broker's allocations for one of many requests, the first of which are not counted.
fn per_request(client: &mut RawClient, frame: &[u8], finish: impl Fn(&mut RawClient)) -> u64 {
    let mut ask = |times| {
        for _ in 0..times {
            client.send(frame);
            finish(client);
        }
    };
    ask(WARM_UP);
    allocations_beside(|| ask(COUNTED)) / u64::from(COUNTED)
}

fn value(bytes: usize) -> String {
    "v".repeat(bytes)
}

fn produce_of(topic_id: Uuid, acks: i16, value: &str) -> ProduceRequest {
    let records: Bytes = data::batch(&[value]);
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            topic_id,
            partition_data: vec![PartitionProduceData { index: 0, records: Some(records.into()) }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

fn fetch_of(topic_id: Uuid) -> FetchRequest {
    FetchRequest {
        min_bytes: 1,
        max_bytes: 2 << 20,
        topics: vec![FetchTopic {
            topic_id,
            partitions: vec![FetchPartition {
                partition_max_bytes: 2 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const WARM_UP: u32 = 20;
const COUNTED: u32 = 200;
const ACTIVE: i32 = 10;
const ACTIVE_PLACES: usize = 10;
