//! Incremental fetch sessions (KIP-227) over the wire.

use milena_protocol::{
    ErrorCode,
    messages::{
        FetchRequest,
        data::fetch::{FetchResponse, ForgottenTopic},
    },
};
use milena_tests::{RawClient, TestBroker};

use super::*;

/// Opens a session over `partitions` partitions of `t`.
fn open(client: &mut RawClient, partitions: i32) -> FetchResponse {
    let mut request = fetch_of("t", 0, 0);
    for index in 1..partitions {
        let more = fetch_of("t", index, 0).topics.remove(0).partitions;
        request.topics[0].partitions.extend(more);
    }
    request.session_epoch = 0;
    let response = client.ask(11, &request);
    assert_ne!(response.session_id, 0);
    response
}

/// A request of the session that changes nothing.
fn next(session_id: i32, session_epoch: i32) -> FetchRequest {
    FetchRequest { max_bytes: 1 << 20, session_id, session_epoch, ..FetchRequest::default() }
}

fn indexes(response: &FetchResponse) -> Vec<i32> {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|it| it.partition_index).collect()
}

#[test]
fn only_partitions_with_news_are_in_the_answer() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 3, &[]);
    let first = open(&mut client, 3);
    assert_eq!(indexes(&first), [0, 1, 2], "the first answer is whole");
    let id = first.session_id;
    assert_eq!(indexes(&client.ask(11, &next(id, 1))), [0; 0]);
    produce(&mut client, "t", 1, batch(&["a"]));
    let news = client.ask(11, &next(id, 2));
    assert_eq!(indexes(&news), [1]);
    assert_eq!(values(&news.responses[0].partitions[0]), [(0, "a".into())]);
    assert_eq!(indexes(&client.ask(11, &next(id, 3))), [1], "not yet consumed");
    let consumed = FetchRequest { topics: fetch_of("t", 1, 1).topics, ..next(id, 4) };
    assert_eq!(indexes(&client.ask(11, &consumed)), [0; 0]);
}

#[test]
fn partitions_that_are_forgotten_are_not_fetched_any_more() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 2, &[]);
    let id = open(&mut client, 2).session_id;
    for index in 0..2 {
        produce(&mut client, "t", index, batch(&["a"]));
    }
    let mut forget = next(id, 1);
    forget.forgotten_topics_data = vec![ForgottenTopic {
        topic: Str::from_static("t"),
        partitions: vec![0],
        ..ForgottenTopic::default()
    }];
    assert_eq!(indexes(&client.ask(11, &forget)), [1]);
}

#[test]
fn a_forged_id_or_epoch_is_refused() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let id = open(&mut client, 1).session_id;
    let mut code = |id, epoch, version| client.ask(version, &next(id, epoch)).error_code;
    assert_eq!(code(id ^ 1, 1, 11), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(code(id, 7, 11), ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(code(id, 1, 13), ErrorCode::FetchSessionTopicIdError);
    assert_eq!(code(id, 1, 11), ErrorCode::None);
    assert_eq!(code(id, 1, 11), ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(code(id, -1, 11), ErrorCode::None, "closed");
    assert_eq!(code(id, 2, 11), ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn sessions_are_bounded_and_who_has_none_still_fetches() {
    let slots = ("max.incremental.fetch.session.cache.slots", "2");
    let broker = TestBroker::start(&[slots]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["a"]));
    let full = FetchRequest { session_epoch: 0, ..fetch_of("t", 0, 0) };
    let kept: Vec<bool> = (0..5)
        .map(|_| {
            let response = client.ask(11, &full);
            assert_eq!(values(&response.responses[0].partitions[0]).len(), 1);
            response.session_id != 0
        })
        .collect();
    assert_eq!(kept, [true, true, false, false, false]);
    assert_eq!(broker.services().fetch_sessions.len(), 2);
}

#[test]
fn an_id_that_is_unknown_at_first_is_found_once_it_is_there() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "t", 1, &[]);
    let mut request = FetchRequest { session_epoch: 0, ..fetch_of("", 1, 0) };
    request.topics[0].topic_id = id;
    let first = client.ask(13, &request);
    let code = |response: &FetchResponse| response.responses[0].partitions[0].error_code;
    assert_eq!(code(&first), ErrorCode::UnknownTopicOrPartition);
    grow(&mut client, "t", 2);
    let second = client.ask(13, &next(first.session_id, 1));
    assert_eq!(code(&second), ErrorCode::None);
}

#[test]
fn a_full_answer_does_not_starve_the_partitions_at_the_end() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 3, &[]);
    let id = open(&mut client, 3).session_id;
    for index in 0..3 {
        produce(&mut client, "t", index, batch(&["a"]));
    }
    let served: Vec<Vec<i32>> = (1..=4)
        .map(|epoch| {
            let response = client.ask(11, &FetchRequest { max_bytes: 1, ..next(id, epoch) });
            let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
            let full = partitions.filter(|it| !it.records.as_ref().unwrap().is_empty());
            full.map(|it| it.partition_index).collect()
        })
        .collect();
    assert_eq!(served, [[0], [1], [2], [0]]);
}

fn grow(client: &mut RawClient, name: &str, count: i32) {
    use milena_protocol::messages::{
        CreatePartitionsRequest, topics::create_partitions::CreatePartitionsTopic,
    };
    let topic = CreatePartitionsTopic { name: Str::from(name), count, ..Default::default() };
    let request =
        CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(client.ask(3, &request).results[0].error_code, ErrorCode::None);
}
