//! What holds for every connection, whatever is asked.

use std::time::Duration;

use milena_protocol::{
    ErrorCode,
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, FetchRequest,
        data::fetch::{FetchPartition, FetchTopic},
        topics::create_topics::CreatableTopic,
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker, TestClock, frame, request_frame, wait_until};

use crate::{
    cluster::api_versions::named,
    data::{batch, create, fetch, fetch_of, produce, values},
};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let ids: Vec<i32> = (0..100).map(|_| client.start(3, &named())).collect();
    for id in ids {
        client.finish::<ApiVersionsRequest>(3, id);
    }
}

#[test]
fn a_frame_may_come_in_any_pieces() {
    let broker = TestBroker::start(&[]);
    let bytes = [request_frame(1, 3, &named()), request_frame(2, 3, &named())].concat();
    for at in 0..bytes.len() {
        let mut client = broker.connect();
        client.send(&bytes[..at]);
        client.send(&bytes[at..]);
        assert!(client.read_frame().is_some());
        assert!(client.read_frame().is_some());
    }
}

#[test]
fn who_does_not_read_answers_is_not_read_either() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    client.set_patience(Duration::from_secs(1));
    let burst = request_frame(1, 3, &named()).repeat(10_000);
    let mut sent = 0;
    // Sockets hold some; beyond that nobody takes any more.
    while client.try_send(&burst).is_ok() {
        sent += 1;
        assert!(sent < 1_000, "the broker reads without end");
    }
    assert!(broker.metric("milena_request_bytes_held", None) < 1 << 20);
    assert_eq!(broker.connect().ask(3, &named()).error_code, ErrorCode::None);
}

#[test]
fn one_address_gets_as_many_connections_as_it_may_have() {
    let broker = TestBroker::start(&[("max.connections.per.ip", "2")]);
    let (mut first, mut second) = (broker.connect(), broker.connect());
    first.ask(3, &named());
    second.ask(3, &named());
    broker.connect().expect_closed("a third connection");
    let refused = "milena_connections_refused_total";
    assert_eq!(broker.metric(refused, Some("max.connections.per.ip")), 1);
    drop(first);
    wait_until("the first is gone", || broker.metric("milena_connections", None) == 1);
    broker.connect().ask(3, &named());
}

#[test]
fn a_broker_has_as_many_connections_as_it_may_have() {
    let broker = TestBroker::start(&[("max.connections", "1")]);
    let mut first = broker.connect();
    first.ask(3, &named());
    broker.connect().expect_closed("a second connection");
    first.ask(3, &named());
}

#[test]
fn peers_that_reset_in_the_middle_of_their_answers_cost_nothing() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "large", 1, &[]);
    let value = "x".repeat(500_000);
    for _ in 0..4 {
        let produced = produce(&mut client, "large", 0, batch(&[&value]));
        assert_eq!(produced.error_code, ErrorCode::None);
    }
    for _ in 0..20 {
        let mut rude = broker.connect();
        for _ in 0..8 {
            rude.start(11, &fetch_of("large", 0, 0));
        }
        // What it was sent lies unread when it goes, which resets the connection.
        assert!(rude.read_frame().is_some());
    }
    wait_until("they are gone", || broker.metric(CONNECTIONS, None) == 1);
    let found = values(&fetch(&mut client, "large", 0, 3));
    assert_eq!(found, [(3, value)]);
}

#[test]
fn a_storm_of_connections_leaves_the_broker_as_it_was() {
    let broker = TestBroker::start(&[]);
    for count in 0..10_000 {
        let mut client = broker.connect();
        if count % 2 == 0 {
            client.send(&[0, 0]);
        }
        if count % 4 < 2 {
            client.reset();
        }
    }
    wait_until("they are gone", || broker.metric(CONNECTIONS, None) == 0);
    assert_eq!(broker.connect().ask(3, &named()).error_code, ErrorCode::None);
}

#[test]
fn silence_ends_a_connection() {
    let (clock, time) = TestClock::manual();
    let broker = TestBroker::start_in(clock, &[("connections.max.idle.ms", "1000")]);
    let mut client = broker.connect();
    client.ask(3, &named());
    time.advance(Duration::from_millis(600));
    client.ask(3, &named());
    time.advance(Duration::from_millis(600));
    client.ask(3, &named());
    wait_until("it is closed", || {
        time.advance(Duration::from_millis(1_000));
        broker.metric("milena_connections_closed_total", Some("idle")) == 1
    });
    client.expect_closed("a second of silence");
}

#[test]
fn stopping_closes_connections_and_frees_the_directory() {
    let mut broker = TestBroker::start(&[]);
    let cluster_id = broker.services().identity.cluster_id.clone();
    let mut client = broker.connect();
    client.ask(3, &named());
    broker.restart();
    client.expect_closed("the broker has stopped");
    assert_eq!(broker.services().identity.cluster_id, cluster_id);
    broker.connect().ask(3, &named());
}

#[test]
fn requests_that_wait_hold_nobody_up() {
    let broker = TestBroker::start(&[("queued.max.request.bytes", "1000000")]);
    let mut client = broker.connect();
    create(&mut client, "quiet", 1, &[]);
    let fetch = FetchRequest { max_wait_ms: i32::MAX, ..fetch_of("quiet", 0, 0) };
    // What comes behind a request is passed over, and takes memory.
    let padded = [&request_frame(1, 11, &fetch)[4..], &vec![0; 600_000]].concat();
    let mut waiting: Vec<RawClient> = (0..4).map(|_| broker.connect()).collect();
    for client in &mut waiting {
        client.send(&frame(&padded));
    }
    wait_until("all of them wait and hold nothing", || {
        broker.metric("milena_requests_total", Some("Fetch")) == 4
            && broker.metric("milena_request_bytes_held", None) == 0
    });
    let large = "v".repeat(700_000);
    let mut client = broker.connect();
    assert_eq!(produce(&mut client, "quiet", 0, batch(&[&large])).error_code, ErrorCode::None);
    for client in &mut waiting {
        let response = client.finish::<FetchRequest>(11, 1);
        assert_eq!(response.responses[0].partitions[0].high_watermark, 1);
    }
}

#[test]
fn a_fetch_that_waits_is_answered_when_the_broker_stops() {
    let mut broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let topic = CreatableTopic {
        name: Str::from_static("quiet"),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let create =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() };
    assert_eq!(client.ask(5, &create).topics[0].error_code, ErrorCode::None);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic {
        topic: Str::from_static("quiet"),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let fetch = FetchRequest {
        max_wait_ms: 600_000,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let (fetch_id, next_id) = (client.start(4, &fetch), client.start(3, &named()));
    wait_until("both are taken", || {
        broker.metric("milena_requests_total", Some("ApiVersions")) == 1
    });
    broker.stop();
    let response = client.finish::<FetchRequest>(4, fetch_id);
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::None);
    client.finish::<ApiVersionsRequest>(3, next_id);
    client.expect_closed("the broker has stopped");
}

const CONNECTIONS: &str = "milena_connections";
