//! CreateTopics v2-7.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        CreateTopicsRequest, MetadataRequest,
        topics::create_topics::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

/// Creates a topic that a test needs.
pub(crate) fn create(client: &mut RawClient, name: &str, partitions: i32) -> Uuid {
    let wanted = CreatableTopic { num_partitions: partitions, ..topic(name) };
    let created = client.ask(7, &request(vec![wanted])).topics.remove(0);
    assert_eq!(created.error_code, ErrorCode::None, "{:?}", created.error_message);
    created.topic_id
}

pub(crate) fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: Str::from(name),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

pub(crate) fn config(name: &str, value: &str) -> CreatableTopicConfig {
    CreatableTopicConfig { name: Str::from(name), value: Some(Str::from(value)) }
}

pub(crate) fn request(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, ..CreateTopicsRequest::default() }
}

fn codes(results: &[CreatableTopicResult]) -> Vec<ErrorCode> {
    results.iter().map(|result| result.error_code).collect()
}

#[test]
fn every_version_creates_and_tells_what_it_can() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 2..=7 {
        let name = format!("v{version}");
        let wanted = CreatableTopic {
            num_partitions: 2,
            configs: vec![config("retention.ms", "7")],
            ..topic(&name)
        };
        let result = client.ask(version, &request(vec![wanted])).topics.remove(0);
        assert_eq!((result.name.as_str(), result.error_code), (name.as_str(), ErrorCode::None));
        assert_eq!(result.error_message, None);
        assert_eq!(result.topic_id.is_zero(), version < 7);
        if version < 5 {
            continue;
        }
        assert_eq!((result.num_partitions, result.replication_factor), (2, 1));
        let configs = result.configs.unwrap();
        let of = |name| configs.iter().find(|config| config.name == name).unwrap();
        let own = of("retention.ms");
        assert_eq!((own.value.as_deref(), own.config_source), (Some("7"), 1));
        assert_eq!(of("segment.bytes").config_source, 5);
    }
}

#[test]
fn the_brokers_defaults_stand_in_for_minus_one() {
    let broker = TestBroker::start(&[("num.partitions", "4")]);
    let wanted = CreatableTopic { num_partitions: -1, replication_factor: -1, ..topic("a") };
    let result = broker.connect().ask(7, &request(vec![wanted])).topics.remove(0);
    assert_eq!((result.num_partitions, result.replication_factor), (4, 1));
}

#[test]
fn each_topic_has_its_own_answer_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "there", 1);
    create(&mut client, "a.b", 1);
    let cases: Vec<(CreatableTopic, ErrorCode)> = vec![
        (topic("new"), ErrorCode::None),
        (topic("there"), ErrorCode::TopicAlreadyExists),
        (topic("a_b"), ErrorCode::InvalidTopicException),
        (topic("../x"), ErrorCode::InvalidTopicException),
        (topic(""), ErrorCode::InvalidTopicException),
        (topic(&"x".repeat(250)), ErrorCode::InvalidTopicException),
        (topic("__cluster_metadata"), ErrorCode::InvalidRequest),
        (topic("twice"), ErrorCode::InvalidRequest),
        (topic("twice"), ErrorCode::InvalidRequest),
    ];
    let (topics, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let response = client.ask(7, &request(topics.clone()));
    let names: Vec<_> = response.topics.iter().map(|result| result.name.clone()).collect();
    assert_eq!(names, topics.into_iter().map(|topic| topic.name).collect::<Vec<_>>());
    assert_eq!(codes(&response.topics), expected);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let mut code = |wanted| client.ask(7, &request(vec![wanted])).topics.remove(0).error_code;
    for num_partitions in [0, -2, i32::MAX] {
        let wanted = CreatableTopic { num_partitions, ..topic("a") };
        assert_eq!(code(wanted), ErrorCode::InvalidPartitions, "{num_partitions}");
    }
    for replication_factor in [0, 2, i16::MAX, -2] {
        let wanted = CreatableTopic { replication_factor, ..topic("a") };
        assert_eq!(code(wanted), ErrorCode::InvalidReplicationFactor, "{replication_factor}");
    }
    for (key, value) in [("no.such", "1"), ("segment.bytes", "-1"), ("cleanup.policy", "shred")] {
        let wanted = CreatableTopic { configs: vec![config(key, value)], ..topic("a") };
        assert_eq!(code(wanted), ErrorCode::InvalidConfig, "{key}={value}");
    }
}

#[test]
fn replicas_can_be_assigned_to_the_broker_that_is_there() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let mut code = |counts: (i32, i16), brokers: &[i32]| {
        let assignment =
            CreatableReplicaAssignment { partition_index: 0, broker_ids: brokers.to_vec() };
        let wanted = CreatableTopic {
            num_partitions: counts.0,
            replication_factor: counts.1,
            assignments: vec![assignment],
            ..topic("a")
        };
        client.ask(7, &request(vec![wanted])).topics.remove(0).error_code
    };
    assert_eq!(code((1, 1), &[1]), ErrorCode::InvalidRequest);
    assert_eq!(code((-1, -1), &[2]), ErrorCode::InvalidReplicaAssignment);
    assert_eq!(code((-1, -1), &[1]), ErrorCode::None);
}

#[test]
fn validating_creates_nothing() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let asked = CreateTopicsRequest { validate_only: true, ..request(vec![topic("a"), topic("")]) };
    let response = client.ask(7, &asked);
    assert_eq!(codes(&response.topics), [ErrorCode::None, ErrorCode::InvalidTopicException]);
    let all = client.ask(13, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    assert_eq!(all.topics, []);
}
