//! ConsumerGroupHeartbeat v0-1.

use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
        ConsumerGroupHeartbeatResponse, DescribeConfigsRequest, DescribeGroupsRequest,
        IncrementalAlterConfigsRequest, ListConfigResourcesRequest, ListGroupsRequest,
        OffsetCommitRequest, OffsetFetchRequest, UpdateFeaturesRequest,
        cluster::update_features::FeatureUpdateKey,
        configs::{
            describe_configs::DescribeConfigsResource,
            incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
        },
        groups::{
            consumer_group_heartbeat::TopicPartitions,
            offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_fetch::OffsetFetchRequestGroup,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::connect;
use crate::topics::create_topics::create;

/// A broker that computes assignments at once.
fn broker() -> TestBroker {
    TestBroker::start(&[
        ("group.consumer.assignment.interval.ms", "0"),
        ("offsets.topic.num.partitions", "3"),
    ])
}

fn join(member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn alive(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn given(told: &ConsumerGroupHeartbeatResponse) -> Option<Vec<i32>> {
    let topics = &told.assignment.as_ref()?.topic_partitions;
    Some(topics.iter().flat_map(|topic| topic.partitions.clone()).collect())
}

fn commit(member: &str, epoch: i32) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: epoch,
        member_id: member.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 7,
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

fn commit_code(client: &mut RawClient, version: i16, request: &OffsetCommitRequest) -> ErrorCode {
    let topic = client.ask(version, request).topics.remove(0);
    topic.partitions.first().map(|partition| partition.error_code).expect("one partition")
}

fn fetch_code(client: &mut RawClient, member: Option<&str>, epoch: i32) -> ErrorCode {
    let group = OffsetFetchRequestGroup {
        group_id: "g".into(),
        member_id: member.map(Str::from),
        member_epoch: epoch,
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
    client.ask(9, &request).groups.remove(0).error_code
}

#[test]
fn two_members_share_a_topic_and_commit_in_their_epochs() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 2);
    let first = client.ask(1, &join("a"));
    assert_eq!((first.error_code, first.member_epoch), (ErrorCode::None, 2));
    assert_eq!(given(&first), Some(vec![0, 1]));
    assert_eq!(first.heartbeat_interval_ms, 5_000);

    assert_eq!(given(&client.ask(1, &join("b"))), Some(vec![]));
    let told = client.ask(1, &alive("a", 2));
    let kept = given(&told).expect("one is to be given up");
    assert_eq!((told.member_epoch, kept.len()), (2, 1));
    let topic_id = told.assignment.unwrap().topic_partitions[0].topic_id;
    let owned = vec![TopicPartitions { topic_id, partitions: kept.clone() }];
    let told = client
        .ask(1, &ConsumerGroupHeartbeatRequest { topic_partitions: Some(owned), ..alive("a", 2) });
    assert_eq!(told.member_epoch, 3);
    let taken = given(&client.ask(1, &alive("b", 3))).expect("one was given up");
    assert_eq!([kept, taken].concat().len(), 2);

    assert_eq!(commit_code(&mut client, 9, &commit("a", 3)), ErrorCode::None);
    assert_eq!(commit_code(&mut client, 9, &commit("a", 4)), ErrorCode::StaleMemberEpoch);
    assert_eq!(commit_code(&mut client, 9, &commit("x", 2)), ErrorCode::UnknownMemberId);
    assert_eq!(commit_code(&mut client, 8, &commit("a", 3)), ErrorCode::UnsupportedVersion);
    assert_eq!(fetch_code(&mut client, Some("a"), 3), ErrorCode::None);
    assert_eq!(fetch_code(&mut client, Some("a"), 1), ErrorCode::StaleMemberEpoch);
    assert_eq!(fetch_code(&mut client, Some("x"), 2), ErrorCode::UnknownMemberId);
    assert_eq!(fetch_code(&mut client, None, -1), ErrorCode::None);
}

#[test]
fn before_version_1_the_broker_names_the_member() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    let told = client.ask(0, &join(""));
    assert_eq!((told.error_code, told.member_epoch), (ErrorCode::None, 2));
    let id = told.member_id.expect("an id");
    assert_eq!(client.ask(0, &alive(&id, 2)).error_code, ErrorCode::None);
    assert_eq!(client.ask(1, &join("")).error_code, ErrorCode::InvalidRequest);
}

#[test]
fn what_contradicts_itself_is_refused_with_a_reason() {
    let broker = broker();
    let mut client = connect(&broker);
    let good = join("a");
    for (request, error) in [
        (
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..good.clone() },
            ErrorCode::InvalidRequest,
        ),
        (
            ConsumerGroupHeartbeatRequest { member_epoch: -3, ..good.clone() },
            ErrorCode::InvalidRequest,
        ),
        (
            ConsumerGroupHeartbeatRequest { server_assignor: Some("mine".into()), ..good.clone() },
            ErrorCode::UnsupportedAssignor,
        ),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("(".into()), ..good },
            ErrorCode::InvalidRegularExpression,
        ),
        (alive("a", 2), ErrorCode::GroupIdNotFound),
        (alive("a", -1), ErrorCode::GroupIdNotFound),
    ] {
        let told = client.ask(1, &request);
        assert_eq!(told.error_code, error);
        assert!(told.error_message.is_some());
    }
}

#[test]
fn a_consumer_group_is_shown_as_what_it_is() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    client.ask(1, &join("a"));
    let ask = ConsumerGroupDescribeRequest {
        group_ids: vec!["g".into(), "other".into()],
        ..ConsumerGroupDescribeRequest::default()
    };
    let groups = client.ask(1, &ask).groups;
    let shown = &groups[0];
    assert_eq!((shown.error_code, shown.group_state.as_str()), (ErrorCode::None, "Stable"));
    assert_eq!((shown.group_epoch, shown.assignment_epoch), (2, 2));
    assert_eq!((shown.assignor_name.as_str(), shown.members[0].member_type), ("uniform", 1));
    assert_eq!(shown.members[0].assignment.topic_partitions[0].topic_name, "t");
    assert_eq!(groups[1].error_code, ErrorCode::GroupIdNotFound);

    let listed = client.ask(5, &ListGroupsRequest::default()).groups;
    assert_eq!(
        (listed[0].group_type.as_str(), listed[0].group_state.as_str()),
        ("consumer", "Stable")
    );
    let classic = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    let told = &client.ask(6, &classic).groups[0];
    assert_eq!(
        (told.error_code, told.error_message.as_deref()),
        (ErrorCode::GroupIdNotFound, Some("Group g is not a classic group."))
    );
}

#[test]
fn a_group_has_settings_of_its_own_within_the_brokers_bounds() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    let mut set = |name: &'static str, value: &'static str| {
        let config = AlterableConfig {
            name: name.into(),
            value: Some(value.into()),
            ..AlterableConfig::default()
        };
        let resource = AlterConfigsResource {
            resource_type: GROUP,
            resource_name: "g".into(),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..IncrementalAlterConfigsRequest::default()
        };
        client.ask(1, &request).responses.remove(0).error_code
    };
    assert_eq!(set("consumer.heartbeat.interval.ms", "7000"), ErrorCode::None);
    assert_eq!(set("consumer.heartbeat.interval.ms", "4999"), ErrorCode::InvalidConfig);
    assert_eq!(set("consumer.session.timeout.ms", "60001"), ErrorCode::InvalidConfig);
    assert_eq!(set("no.such.setting", "1"), ErrorCode::InvalidConfig);
    assert_eq!(client.ask(1, &join("a")).heartbeat_interval_ms, 7_000);

    let resource = DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: "g".into(),
        configuration_keys: None,
    };
    let ask = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let shown = client.ask(4, &ask).results.remove(0).configs;
    let shown: Vec<_> = shown
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_deref(), one.config_source))
        .collect();
    assert_eq!(
        shown,
        [
            ("consumer.assignment.interval.ms", Some("0"), FROM_FILE),
            ("consumer.heartbeat.interval.ms", Some("7000"), FROM_GROUP),
            ("consumer.session.timeout.ms", Some("45000"), FROM_DEFAULT),
        ]
    );
    let listed = ListConfigResourcesRequest { resource_types: vec![GROUP] };
    let listed = client.ask(1, &listed).config_resources;
    assert_eq!(listed.iter().map(|one| one.resource_name.as_str()).collect::<Vec<_>>(), ["g"]);
}

#[test]
fn without_the_feature_there_are_no_consumer_groups() {
    let broker = broker();
    let mut client = connect(&broker);
    let lower = FeatureUpdateKey {
        feature: "group.version".into(),
        max_version_level: 0,
        upgrade_type: 2,
        ..FeatureUpdateKey::default()
    };
    let request = UpdateFeaturesRequest { feature_updates: vec![lower], ..Default::default() };
    assert_eq!(client.ask(1, &request).error_code, ErrorCode::None);
    assert_eq!(client.ask(1, &join("a")).error_code, ErrorCode::UnsupportedVersion);
}

/// The resource type.
const GROUP: i8 = 32;
const FROM_FILE: i8 = 4;
const FROM_DEFAULT: i8 = 5;
const FROM_GROUP: i8 = 8;
