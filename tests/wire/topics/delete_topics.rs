//! DeleteTopics v1-6.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{DeleteTopicsRequest, MetadataRequest, topics::delete_topics::DeleteTopicState},
    wire::Str,
};
use milena_tests::TestBroker;

use super::create_topics::create;
use crate::data::{batch, produce};

fn by_name(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    let names = names.iter().map(|name| Str::from(*name));
    match version {
        6.. => DeleteTopicsRequest {
            topics: names
                .map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO })
                .collect(),
            ..DeleteTopicsRequest::default()
        },
        _ => DeleteTopicsRequest { topic_names: names.collect(), ..Default::default() },
    }
}

#[test]
fn every_version_deletes_by_name() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 1..=6 {
        let id = create(&mut client, "a", 2);
        let response = client.ask(version, &by_name(version, &["a", "x"]));
        let codes: Vec<_> = response.responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
        let first = &response.responses[0];
        assert_eq!(first.name.as_deref(), Some("a"));
        assert_eq!(first.topic_id, if version >= 6 { id } else { Uuid::ZERO });
        let all = client.ask(13, &MetadataRequest { topics: None, ..Default::default() });
        assert_eq!(all.topics, []);
    }
}

#[test]
fn a_topic_is_deleted_by_its_id() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "a", 1);
    let of = |name: Option<&'static str>, topic_id| DeleteTopicState {
        name: name.map(Str::from_static),
        topic_id,
    };
    let stranger = Uuid([9; 16]);
    let request = DeleteTopicsRequest {
        topics: vec![
            of(None, id),
            of(None, stranger),
            of(Some("a"), stranger),
            of(None, Uuid::ZERO),
        ],
        ..DeleteTopicsRequest::default()
    };
    let response = client.ask(6, &request);
    let answers: Vec<_> = response
        .responses
        .iter()
        .map(|one| (one.name.as_deref(), one.topic_id, one.error_code))
        .collect();
    assert_eq!(
        answers,
        [
            (Some("a"), id, ErrorCode::None),
            (None, stranger, ErrorCode::UnknownTopicId),
            (Some("a"), stranger, ErrorCode::InvalidRequest),
            (None, Uuid::ZERO, ErrorCode::InvalidRequest),
        ]
    );
}

#[test]
fn a_topic_that_comes_again_is_another_one() {
    let mut broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let first = create(&mut client, "a", 1);
    client.ask(6, &by_name(6, &["a"]));
    let second = create(&mut client, "a", 1);
    assert_ne!(first, second);
    broker.restart();
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let topics = broker.connect().ask(13, &all).topics;
    assert_eq!(topics.iter().map(|topic| topic.topic_id).collect::<Vec<_>>(), [second]);
}

#[test]
fn deletion_that_is_switched_off_says_so() {
    let broker = TestBroker::start(&[("delete.topic.enable", "false")]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for version in 1..=6 {
        let response = client.ask(version, &by_name(version, &["a"]));
        let expected = match version {
            1 | 2 => ErrorCode::InvalidRequest,
            _ => ErrorCode::TopicDeletionDisabled,
        };
        assert_eq!(response.responses[0].error_code, expected);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the damage comes from outside")]
fn a_topic_whose_log_cannot_be_opened_gives_its_name_back() {
    let mut broker = TestBroker::start(&[]);
    create(&mut broker.connect(), "a", 1);
    produce(&mut broker.connect(), "a", 0, batch(&["old"]));
    broker.stop();
    std::fs::write(broker.data().join("a-0/partition.metadata"), "nonsense").expect("write");
    broker.restart();
    let mut client = broker.connect();
    let refused = produce(&mut client, "a", 0, batch(&["x"])).error_code;
    assert_eq!(refused, ErrorCode::KafkaStorageError);

    client.ask(6, &by_name(6, &["a"]));
    create(&mut client, "a", 1);
    let accepted = produce(&mut client, "a", 0, batch(&["new"]));
    assert_eq!((accepted.error_code, accepted.base_offset), (ErrorCode::None, 0));
    broker.restart();
    assert_eq!(produce(&mut broker.connect(), "a", 0, batch(&["newer"])).base_offset, 1);
}
