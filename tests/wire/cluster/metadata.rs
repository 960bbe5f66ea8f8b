//! Metadata v0-13.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        MetadataRequest, MetadataResponse,
        cluster::metadata::{MetadataRequestTopic, MetadataResponseTopic},
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use crate::topics::create_topics::create;

fn named(names: &[&str]) -> MetadataRequest {
    let topics = names.iter().map(|name| MetadataRequestTopic {
        name: Some(Str::from(*name)),
        ..MetadataRequestTopic::default()
    });
    MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    }
}

fn names(response: &MetadataResponse) -> Vec<&str> {
    response.topics.iter().filter_map(|topic| topic.name.as_deref()).collect()
}

fn only(response: MetadataResponse) -> MetadataResponseTopic {
    assert_eq!(response.topics.len(), 1);
    response.topics.into_iter().next().expect("a topic")
}

#[test]
fn every_version_shows_the_broker_and_the_topic() {
    let broker = TestBroker::start(&[("node.id", "3"), ("broker.rack", "r")]);
    let mut client = broker.connect();
    let id = create(&mut client, "a", 2);
    for version in 0..=13 {
        // Only from v4 on does a request say that it must not create.
        let asked = MetadataRequest { allow_auto_topic_creation: version < 4, ..named(&["a"]) };
        let response = client.ask(version, &asked);
        let [seen] = &response.brokers[..] else { panic!("one broker: {response:?}") };
        assert_eq!((seen.node_id, seen.host.as_str()), (3, "127.0.0.1"));
        assert_eq!(seen.port, i32::from(broker.address().port()));
        assert_eq!(seen.rack.as_deref(), (version >= 1).then_some("r"));
        assert_eq!(response.controller_id, if version >= 1 { 3 } else { -1 });
        assert_eq!(response.cluster_id.is_some(), version >= 2);
        let topic = only(response);
        assert_eq!(topic.error_code, ErrorCode::None);
        assert_eq!(topic.topic_id, if version >= 10 { id } else { Uuid::ZERO });
        assert_eq!(topic.partitions.len(), 2);
        for (index, partition) in (0..).zip(&topic.partitions) {
            assert_eq!((partition.partition_index, partition.leader_id), (index, 3));
            assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 });
            assert_eq!(
                (&partition.replica_nodes[..], &partition.isr_nodes[..]),
                (&[3][..], &[3][..])
            );
        }
    }
}

#[test]
fn all_topics_are_asked_for_by_null_and_in_version_0_by_an_empty_list() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "b", 1);
    create(&mut client, "a", 1);
    let empty = named(&[]);
    let null = MetadataRequest { topics: None, ..named(&[]) };
    let empty_in_v0 = MetadataRequest { allow_auto_topic_creation: true, ..empty.clone() };
    assert_eq!(names(&client.ask(0, &empty_in_v0)), ["a", "b"]);
    for version in 4..=13 {
        assert_eq!(names(&client.ask(version, &null)), ["a", "b"]);
        assert_eq!(names(&client.ask(version, &empty)), [] as [&str; 0]);
    }
}

#[test]
fn a_topic_is_created_because_it_was_asked_for() {
    let broker = TestBroker::start(&[("num.partitions", "3")]);
    let mut client = broker.connect();
    for version in 0..=13 {
        let name = format!("v{version}");
        let asked = MetadataRequest { allow_auto_topic_creation: true, ..named(&[&name]) };
        let topic = only(client.ask(version, &asked));
        assert_eq!((topic.error_code, topic.partitions.len()), (ErrorCode::None, 3));
    }
}

#[test]
fn nothing_is_created_where_client_or_broker_forbid_it() {
    let broker = TestBroker::start(&[]);
    let topic = only(broker.connect().ask(13, &named(&["a"])));
    assert_eq!(topic.error_code, ErrorCode::UnknownTopicOrPartition);
    assert_eq!((topic.name.as_deref(), topic.topic_id), (Some("a"), Uuid::ZERO));

    let strict = TestBroker::start(&[("auto.create.topics.enable", "false")]);
    let asked = MetadataRequest { allow_auto_topic_creation: true, ..named(&["a"]) };
    let topic = only(strict.connect().ask(13, &asked));
    assert_eq!(topic.error_code, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn each_name_has_its_own_answer_once_and_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "there", 1);
    for create in [false, true] {
        let request = MetadataRequest {
            allow_auto_topic_creation: create,
            ..named(&["../x", "there", "", "there", "a b"])
        };
        let response = client.ask(12, &request);
        let answers: Vec<_> = response
            .topics
            .iter()
            .map(|topic| (topic.name.as_deref().unwrap(), topic.error_code))
            .collect();
        assert_eq!(
            answers,
            [
                ("../x", ErrorCode::InvalidTopicException),
                ("there", ErrorCode::None),
                ("", ErrorCode::InvalidTopicException),
                ("a b", ErrorCode::InvalidTopicException),
            ]
        );
    }
}

#[test]
fn very_many_names_that_cannot_be_created_are_refused_in_no_time() {
    let broker = TestBroker::start(&[("num.partitions", "100000")]);
    let names: Vec<String> = (0..100_000).map(|number| format!("topic-{number:07}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = MetadataRequest { allow_auto_topic_creation: true, ..named(&names) };
    let response = broker.connect().ask(13, &request);
    assert_eq!(response.topics.len(), names.len());
    let refused = |topic: &MetadataResponseTopic| topic.error_code == ErrorCode::InvalidPartitions;
    assert!(response.topics.iter().all(refused));
}

#[test]
fn a_topic_of_the_brokers_own_is_not_created_as_any_other() {
    let broker = TestBroker::start(&[("num.partitions", "7")]);
    let mut client = broker.connect();
    for (name, partitions) in [
        ("__share_group_state", 0),
        ("__transaction_state", 50),
        ("__consumer_offsets", 50),
        ("a", 7),
    ] {
        let asked = MetadataRequest { allow_auto_topic_creation: true, ..named(&[name]) };
        let topic = only(client.ask(13, &asked));
        assert_eq!(
            (topic.partitions.len(), topic.error_code.is_ok()),
            (partitions, partitions > 0)
        );
    }
}

#[test]
fn a_topic_is_asked_for_by_its_id() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "a", 1);
    let by_id = |topic_id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { topic_id, name: None }]),
        ..MetadataRequest::default()
    };
    for version in [12, 13] {
        let topic = only(client.ask(version, &by_id(id)));
        assert_eq!((topic.name.as_deref(), topic.error_code), (Some("a"), ErrorCode::None));
        let stranger = Uuid([9; 16]);
        let topic = only(client.ask(version, &by_id(stranger)));
        assert_eq!(topic.error_code, ErrorCode::UnknownTopicId);
        assert_eq!((topic.name, topic.topic_id), (None, stranger));
    }
}

#[test]
fn authorized_operations_are_told_to_those_who_ask() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let asked = MetadataRequest {
        include_topic_authorized_operations: true,
        include_cluster_authorized_operations: true,
        ..named(&["a"])
    };
    for version in 8..=10 {
        let response = client.ask(version, &asked);
        assert_eq!(response.cluster_authorized_operations, 8096);
        assert_eq!(only(response).topic_authorized_operations, 3576);
        let response = client.ask(version, &named(&["a"]));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
        assert_eq!(only(response).topic_authorized_operations, i32::MIN);
    }
}

#[test]
fn topics_survive_a_restart_under_a_new_leader_epoch() {
    let mut broker = TestBroker::start(&[]);
    let id = create(&mut broker.connect(), "a", 2);
    let cluster = broker.services().identity.cluster_id.clone();
    let ask = |client: &mut RawClient| client.ask(13, &named(&["a"]));
    for epoch in 1..=2 {
        broker.restart();
        let response = ask(&mut broker.connect());
        assert_eq!(response.cluster_id.as_deref(), Some(cluster.as_str()));
        let topic = only(response);
        assert_eq!((topic.topic_id, topic.partitions.len()), (id, 2));
        assert!(topic.partitions.iter().all(|partition| partition.leader_epoch == epoch));
    }
}
