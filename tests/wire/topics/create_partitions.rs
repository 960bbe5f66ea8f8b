//! CreatePartitions v0-3.

use milena_protocol::{
    ErrorCode,
    messages::{
        CreatePartitionsRequest, MetadataRequest,
        topics::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic},
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::create_topics::create;

fn grow(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: Str::from(name), count, assignments: None }
}

fn request(topics: Vec<CreatePartitionsTopic>) -> CreatePartitionsRequest {
    CreatePartitionsRequest { topics, ..CreatePartitionsRequest::default() }
}

fn count(client: &mut RawClient) -> usize {
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    client.ask(13, &all).topics.iter().map(|topic| topic.partitions.len()).sum()
}

#[test]
fn every_version_adds_partitions() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for version in 0..=3 {
        let wanted = i32::from(version) + 2;
        let response = client.ask(version, &request(vec![grow("a", wanted)]));
        assert_eq!(response.results[0].error_code, ErrorCode::None);
        assert_eq!(count(&mut client), usize::try_from(wanted).unwrap());
    }
}

#[test]
fn each_topic_has_its_own_answer_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 2);
    create(&mut client, "b", 1);
    let assigned = |brokers: &[i32]| CreatePartitionsTopic {
        assignments: Some(vec![CreatePartitionsAssignment { broker_ids: brokers.to_vec() }]),
        ..grow("b", 2)
    };
    let mut codes = |topics| -> Vec<ErrorCode> {
        client.ask(3, &request(topics)).results.iter().map(|one| one.error_code).collect()
    };
    assert_eq!(
        codes(vec![grow("x", 1), grow("a", 2), grow("b", i32::MAX)]),
        [
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::InvalidPartitions,
            ErrorCode::InvalidPartitions
        ]
    );
    assert_eq!(codes(vec![grow("a", 3), grow("a", 4)]), [ErrorCode::InvalidRequest; 2]);
    assert_eq!(codes(vec![assigned(&[2])]), [ErrorCode::InvalidReplicaAssignment]);
    assert_eq!(codes(vec![assigned(&[1])]), [ErrorCode::None]);
}

#[test]
fn validating_adds_nothing() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let asked = CreatePartitionsRequest { validate_only: true, ..request(vec![grow("a", 5)]) };
    assert_eq!(client.ask(3, &asked).results[0].error_code, ErrorCode::None);
    assert_eq!(count(&mut client), 1);
}
