//! Fetch v4-18, without sessions.

use std::time::Duration;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        FetchRequest,
        data::fetch::{EpochEndOffset, FetchResponse},
    },
    wire::Records,
};
use milena_tests::{TestBroker, TestClock, wait_until};

use super::*;

fn only(response: &FetchResponse) -> &PartitionData {
    &response.responses[0].partitions[0]
}

/// Sizes of the records of each partition, in the order of the answer.
fn sizes(response: &FetchResponse) -> Vec<(i32, usize)> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|it| (it.partition_index, it.records.as_ref().map_or(0, Records::len))).collect()
}

/// A fetch of several partitions of `t` from the start.
fn fetch_all(partitions: i32) -> FetchRequest {
    let mut request = fetch_of("t", 0, 0);
    for index in 1..partitions {
        let more = fetch_of("t", index, 0).topics.remove(0).partitions;
        request.topics[0].partitions.extend(more);
    }
    request
}

#[test]
fn every_version_finds_what_was_written() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["a", "b"]));
    for version in 4..=18 {
        let mut request = fetch_of("t", 0, 1);
        request.topics[0].topic_id = id;
        let response = client.ask(version, &request);
        let topic = &response.responses[0];
        let named = if version < 13 { (topic.topic.as_str(), Uuid::ZERO) } else { ("", id) };
        assert_eq!((topic.topic.as_str(), topic.topic_id), named, "v{version}");
        let expected = PartitionData {
            partition_index: 0,
            high_watermark: 2,
            last_stable_offset: 2,
            log_start_offset: if version < 5 { -1 } else { 0 },
            records: only(&response).records.clone(),
            ..PartitionData::default()
        };
        assert_eq!(*only(&response), expected, "v{version}");
        assert_eq!(values(only(&response)), [(0, "a".into()), (1, "b".into())]);
    }
}

#[test]
fn read_committed_is_given_an_empty_list_of_aborted_transactions() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let request = FetchRequest { isolation_level: 1, ..fetch_of("t", 0, 0) };
    assert_eq!(only(&client.ask(11, &request)).aborted_transactions, Some(Vec::new()));
    assert_eq!(fetch(&mut client, "t", 0, 0).aborted_transactions, None);
}

#[test]
fn what_cannot_be_read_is_named_at_once() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["a"]));
    let out_of_range = ErrorCode::OffsetOutOfRange;
    let unknown = ErrorCode::UnknownTopicOrPartition;
    for (topic, index, offset, expected) in [
        ("t", 0, -5, out_of_range),
        ("t", 0, 2, out_of_range),
        ("t", 0, i64::MAX, out_of_range),
        ("t", 0, i64::MIN, out_of_range),
        ("t", 1, 0, unknown),
        ("t", -1, 0, unknown),
        ("none", 0, 0, unknown),
    ] {
        let request = FetchRequest { max_wait_ms: i32::MAX, ..fetch_of(topic, index, offset) };
        let response = client.ask(11, &request);
        assert_eq!(only(&response).error_code, expected, "{topic}-{index} from {offset}");
    }
    let mut by_id = fetch_of("", 0, 0);
    by_id.topics[0].topic_id = Uuid([7; 16]);
    assert_eq!(only(&client.ask(13, &by_id)).error_code, ErrorCode::UnknownTopicId);
}

#[test]
fn a_client_that_poses_as_a_replica_is_refused() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let refused = ErrorCode::ClusterAuthorizationFailed;
    let mut request = FetchRequest { replica_id: 1, ..fetch_of("t", 0, 0) };
    let response = client.ask(11, &request);
    assert_eq!((response.error_code, only(&response).error_code), (refused, refused));
    request.replica_id = -1;
    request.replica_state.replica_id = 1;
    let response = client.ask(16, &request);
    assert_eq!((response.error_code, response.responses), (refused, Vec::new()));
}

#[test]
fn another_leader_epoch_is_fenced_or_unknown() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "t", 1, &[]);
    let topic = broker.services().replicas.topic_by_id(id).unwrap();
    let epoch = topic.partition(0).unwrap().leader_epoch().0;
    let mut ask = |current, version| {
        let mut request = fetch_of("t", 0, 0);
        request.topics[0].topic_id = id;
        request.topics[0].partitions[0].current_leader_epoch = current;
        client.ask(version, &request)
    };
    assert_eq!(only(&ask(epoch, 11)).error_code, ErrorCode::None);
    assert_eq!(only(&ask(epoch + 1, 11)).error_code, ErrorCode::UnknownLeaderEpoch);
    if epoch > 0 {
        let response = ask(epoch - 1, 16);
        assert_eq!(only(&response).error_code, ErrorCode::FencedLeaderEpoch);
        assert_eq!(only(&response).current_leader.leader_epoch, epoch);
        assert_eq!(response.node_endpoints.len(), 1);
    }
}

#[test]
fn a_leader_after_a_restart_fences_and_tells_where_it_is() {
    let mut broker = TestBroker::start(&[]);
    let id = create(&mut broker.connect(), "t", 1, &[]);
    broker.restart();
    let mut client = broker.connect();
    let mut request = fetch_of("t", 0, 0);
    request.topics[0].topic_id = id;
    request.topics[0].partitions[0].current_leader_epoch = 0;
    let response = client.ask(16, &request);
    assert_eq!(only(&response).error_code, ErrorCode::FencedLeaderEpoch);
    assert_eq!(only(&response).current_leader.leader_epoch, 1);
    let port = i32::from(broker.address().port());
    let told: Vec<i32> = response.node_endpoints.iter().map(|node| node.port).collect();
    assert_eq!(told, [port]);
}

#[test]
fn a_log_that_parted_from_the_clients_is_told_with_the_place() {
    let mut broker = TestBroker::start(&[]);
    create(&mut broker.connect(), "t", 1, &[]);
    produce(&mut broker.connect(), "t", 0, batch(&["a", "b"]));
    broker.restart();
    let mut client = broker.connect();
    produce(&mut client, "t", 0, batch(&["c", "d"]));
    let mut ask = |last_fetched_epoch, offset| {
        let mut request = fetch_of("t", 0, offset);
        request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
        only(&client.ask(12, &request)).clone()
    };
    assert_eq!(values(&ask(0, 2)).len(), 2, "the same log so far");
    let parted = ask(0, 3);
    let end_of_first = EpochEndOffset { epoch: 0, end_offset: 2 };
    assert_eq!((parted.error_code, parted.diverging_epoch), (ErrorCode::None, end_of_first));
    assert!(parted.records.unwrap().is_empty());
}

#[test]
fn one_large_batch_passes_every_limit_but_alone() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 3, &[]);
    let long = "x".repeat(1000);
    let size = batch(&[&long]).len();
    for index in [1, 2] {
        produce(&mut client, "t", index, batch(&[&long]));
    }
    let mut request = fetch_all(3);
    request.max_bytes = 1;
    assert_eq!(sizes(&client.ask(11, &request)), [(0, 0), (1, size), (2, 0)]);
    request.max_bytes = 1 << 20;
    for partition in &mut request.topics[0].partitions {
        partition.partition_max_bytes = 1;
    }
    assert_eq!(sizes(&client.ask(11, &request)), [(0, 0), (1, size), (2, 0)]);
    request.topics[0].partitions[2].partition_max_bytes = i32::MAX;
    assert_eq!(sizes(&client.ask(11, &request)), [(0, 0), (1, size), (2, size)]);
}

#[test]
fn the_brokers_own_limit_holds_too() {
    let broker = TestBroker::start(&[("fetch.max.bytes", "1024")]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let long = "x".repeat(600);
    for _ in 0..5 {
        produce(&mut client, "t", 0, batch(&[&long]));
    }
    let request = FetchRequest { max_bytes: i32::MAX, ..fetch_of("t", 0, 0) };
    assert_eq!(values(only(&client.ask(11, &request))).len(), 1);
}

#[test]
fn a_waiting_fetch_is_woken_by_the_append_and_not_before() {
    let (time, clock) = TestClock::manual();
    let broker = TestBroker::start_in(time, &[]);
    let mut client = broker.connect();
    let mut other = broker.connect();
    create(&mut client, "t", 2, &[]);
    let request = FetchRequest { max_wait_ms: 5_000, ..fetch_all(2) };
    let fetched = client.start(11, &request);
    produce(&mut other, "t", 1, batch(&["a"]));
    let response = client.finish::<FetchRequest>(11, fetched);
    assert_eq!(values(&response.responses[0].partitions[1]), [(0, "a".into())]);

    // No time has passed; now it does.
    let mut late = fetch_of("t", 0, 0);
    late.max_wait_ms = 5_000;
    let timers = &broker.services().timers;
    let armed = timers.armed();
    let fetched = client.start(11, &late);
    wait_until("the fetch waits", || timers.armed() > armed);
    clock.advance(Duration::from_secs(5));
    assert_eq!(sizes(&client.finish::<FetchRequest>(11, fetched)), [(0, 0)]);
}

#[test]
fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let mut other = broker.connect();
    create(&mut client, "t", 1, &[]);
    let size = i32::try_from(batch(&["a"]).len()).unwrap();
    let request = FetchRequest { max_wait_ms: 60_000, min_bytes: 3 * size, ..fetch_of("t", 0, 0) };
    let fetched = client.start(11, &request);
    for value in ["a", "b", "c"] {
        produce(&mut other, "t", 0, batch(&[value]));
    }
    let response = client.finish::<FetchRequest>(11, fetched);
    assert_eq!(values(only(&response)).len(), 3);
}

#[test]
fn a_fetch_of_50_000_partitions_is_answered_within_its_limits() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["a"]));
    let mut request = FetchRequest { max_bytes: i32::MAX, ..fetch_all(50_000) };
    request.max_wait_ms = i32::MAX;
    let response = client.ask(11, &request);
    assert_eq!(response.responses[0].partitions.len(), 50_000);
    assert_eq!(values(only(&response)), [(0, "a".into())]);
}

#[test]
fn large_answers_come_whole() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("segment.bytes", "1048576")]);
    let long = "y".repeat(200_000);
    for _ in 0..12 {
        produce(&mut client, "t", 0, batch(&[&long]));
    }
    let mut next = 0;
    while next < 12 {
        let found = values(&fetch(&mut client, "t", 0, next));
        assert!(found.iter().all(|(_, value)| *value == long));
        assert_eq!(found[0].0, next);
        next = found.last().unwrap().0 + 1;
    }
}

#[test]
fn the_end_of_a_segment_is_no_reason_to_wait_for_more() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("segment.bytes", "1024")]);
    let value = "x".repeat(400);
    for _ in 0..5 {
        produce(&mut client, "t", 0, batch(&[&value]));
    }
    let patient = |offset| FetchRequest {
        max_wait_ms: i32::MAX,
        min_bytes: 100_000,
        ..fetch_of("t", 0, offset)
    };
    for (offset, count) in [(0, 2), (1, 1), (2, 2)] {
        let response = client.ask(11, &patient(offset));
        assert_eq!(values(only(&response)).len(), count, "from {offset}");
    }
}
