//! OffsetFetch v1-10.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        OffsetFetchRequest,
        groups::offset_fetch::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
    },
};
use milena_tests::RawClient;

use super::{broker, connect, offset_commit::commit};
use crate::topics::create_topics::create;

/// What is committed for partition 0; -1 for nothing.
pub(super) fn committed(client: &mut RawClient, group: &str, topic: &str) -> i64 {
    let told = client.ask(9, &of_groups(&[group], Some((topic, Uuid::ZERO))));
    let mut topics = told.groups.into_iter().flat_map(|group| group.topics);
    let partition = topics.find_map(|topic| topic.partitions.into_iter().next());
    partition.expect("an answer for partition 0").committed_offset
}

fn of_groups(groups: &[&str], topic: Option<(&str, Uuid)>) -> OffsetFetchRequest {
    let topics = topic.map(|(name, topic_id)| {
        let partition_indexes = vec![0, 1];
        vec![OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes }]
    });
    let group = |id: &&str| OffsetFetchRequestGroup {
        group_id: (*id).into(),
        topics: topics.clone(),
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: groups.iter().map(group).collect(), ..Default::default() }
}

fn of_one(group: &str, topic: Option<&str>) -> OffsetFetchRequest {
    let topics = topic.map(|name| {
        vec![OffsetFetchRequestTopic { name: name.into(), partition_indexes: vec![0, 1] }]
    });
    OffsetFetchRequest { group_id: group.into(), topics, ..OffsetFetchRequest::default() }
}

#[test]
fn every_version_reads_what_was_committed() {
    let broker = broker();
    let mut client = connect(&broker);
    let id = create(&mut client, "t", 2);
    client.ask(9, &commit("g", "t", id, 42));
    for version in 1..=7 {
        let told = client.ask(version, &of_one("g", Some("t")));
        let found: Vec<_> = told.topics[0]
            .partitions
            .iter()
            .map(|one| (one.committed_offset, one.committed_leader_epoch, one.metadata.as_deref()))
            .collect();
        let epoch = if version >= 5 { 3 } else { -1 };
        assert_eq!(found, [(42, epoch, Some("note")), (-1, -1, Some(""))]);
    }
    for version in 8..=10 {
        let told = client.ask(version, &of_groups(&["g", "x"], Some(("t", id))));
        let found: Vec<_> = told
            .groups
            .iter()
            .map(|group| group.topics[0].partitions[0].committed_offset)
            .collect();
        assert_eq!(found, [42, -1]);
        let topic = &told.groups[0].topics[0];
        assert_eq!((topic.name == "t", topic.topic_id == id), (version < 10, version >= 10));
    }
}

#[test]
fn all_topics_of_a_group_can_be_asked_for() {
    let broker = broker();
    let mut client = connect(&broker);
    let id = create(&mut client, "t", 2);
    client.ask(9, &commit("g", "t", id, 42));
    for version in 2..=7 {
        let told = client.ask(version, &of_one("g", None));
        assert_eq!((told.topics.len(), told.topics[0].partitions.len()), (1, 1));
    }
    for version in 8..=10 {
        let told = client.ask(version, &of_groups(&["g", "x"], None));
        assert_eq!(told.groups[0].topics[0].partitions[0].committed_offset, 42);
        assert_eq!(told.groups[0].topics[0].topic_id == id, version >= 10);
        assert_eq!(told.groups[1].topics, []);
    }
}

#[test]
fn an_id_that_no_topic_has_is_told_so() {
    let broker = broker();
    let mut client = connect(&broker);
    let told = client.ask(10, &of_groups(&["g"], Some(("", Uuid([7; 16])))));
    let partition = &told.groups[0].topics[0].partitions[0];
    let found = (partition.error_code, partition.committed_offset);
    assert_eq!(found, (ErrorCode::UnknownTopicId, -1));
}

#[test]
fn before_any_group_was_looked_for_there_is_no_coordinator() {
    let broker = broker();
    let mut client = broker.connect();
    let told = client.ask(1, &of_one("g", Some("t")));
    assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::NotCoordinator);
    assert_eq!(client.ask(7, &of_one("g", Some("t"))).error_code, ErrorCode::NotCoordinator);
    let told = client.ask(8, &of_groups(&["g"], Some(("t", Uuid::ZERO))));
    assert_eq!(told.groups[0].error_code, ErrorCode::NotCoordinator);
}
