//! OffsetCommit v2-10.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        OffsetCommitRequest,
        groups::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
};

use super::{broker, connect, member, offset_fetch::committed};
use crate::topics::create_topics::create;

/// Commits `offset` for partition 0, and for one that does not exist.
pub(super) fn commit(group: &str, topic: &str, topic_id: Uuid, offset: i64) -> OffsetCommitRequest {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_leader_epoch: 3,
        committed_metadata: Some("note".into()),
    };
    OffsetCommitRequest {
        group_id: group.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            topic_id,
            partitions: vec![partition(0), partition(9)],
        }],
        ..OffsetCommitRequest::default()
    }
}

#[test]
fn every_version_commits_for_partitions_that_exist() {
    let mut broker = broker();
    let mut client = connect(&broker);
    let id = create(&mut client, "t", 2);
    for version in 2..=10 {
        let group = format!("v{version}");
        let told = client.ask(version, &commit(&group, "t", id, i64::from(version)));
        let topic = &told.topics[0];
        assert_eq!((topic.name == "t", topic.topic_id == id), (version < 10, version >= 10));
        let codes: Vec<_> =
            topic.partitions.iter().map(|one| (one.partition_index, one.error_code)).collect();
        let expected = [(0, ErrorCode::None), (9, ErrorCode::UnknownTopicOrPartition)];
        assert_eq!(codes, expected);
    }
    broker.restart();
    let mut client = connect(&broker);
    for version in 2..=10_i16 {
        assert_eq!(committed(&mut client, &format!("v{version}"), "t"), i64::from(version));
    }
}

#[test]
fn a_topic_that_does_not_exist_takes_no_offset() {
    let broker = broker();
    let mut client = connect(&broker);
    for (version, error) in
        [(9, ErrorCode::UnknownTopicOrPartition), (10, ErrorCode::UnknownTopicId)]
    {
        let told = client.ask(version, &commit("g", "x", Uuid([7; 16]), 1));
        assert_eq!(told.topics[0].partitions[0].error_code, error);
    }
}

#[test]
fn bad_commits_are_refused_as_kafka_refuses_them() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    let id = member(&mut client, "g");
    for (version, group, member, generation, error) in [
        (9, "g", id.as_str(), 1, ErrorCode::None),
        (9, "g", &id, 2, ErrorCode::IllegalGeneration),
        (9, "g", "x", 1, ErrorCode::UnknownMemberId),
        (9, "g", "", -1, ErrorCode::UnknownMemberId),
        (9, "absent", "x", 1, ErrorCode::GroupIdNotFound),
        (8, "absent", "x", 1, ErrorCode::IllegalGeneration),
    ] {
        let request = OffsetCommitRequest {
            member_id: member.into(),
            generation_id_or_member_epoch: generation,
            ..commit(group, "t", Uuid::ZERO, 1)
        };
        let told = client.ask(version, &request);
        assert_eq!(told.topics[0].partitions[0].error_code, error, "{request:?}");
    }
    let mut request = commit("other", "t", Uuid::ZERO, 1);
    request.topics[0].partitions[0].committed_metadata = Some("x".repeat(4097).into());
    let told = client.ask(9, &request);
    assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::OffsetMetadataTooLarge);
    request.topics[0].partitions[0].committed_metadata = Some("\u{e9}".repeat(4096).into());
    let told = client.ask(9, &request);
    assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::None, "Java's letters count");
}
