//! OffsetDelete v0.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        DeleteTopicsRequest, OffsetDeleteRequest,
        groups::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    },
};

use super::{broker, connect, offset_commit::commit, offset_fetch::committed};
use crate::topics::create_topics::create;

fn delete(group: &str, topic: &str) -> OffsetDeleteRequest {
    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
    let topic = OffsetDeleteRequestTopic {
        name: topic.into(),
        partitions: vec![partition(0), partition(9)],
    };
    OffsetDeleteRequest { group_id: group.into(), topics: vec![topic] }
}

#[test]
fn a_deleted_offset_is_gone() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    client.ask(9, &commit("g", "t", Uuid::ZERO, 42));
    let told = client.ask(0, &delete("g", "t"));
    let codes: Vec<_> = told.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
    assert_eq!(committed(&mut client, "g", "t"), -1);
}

#[test]
fn a_group_that_is_not_there_has_none_to_delete() {
    let broker = broker();
    let mut client = connect(&broker);
    let told = client.ask(0, &delete("g", "t"));
    assert_eq!(told.error_code, ErrorCode::GroupIdNotFound);
}

#[test]
fn offsets_go_with_their_topic() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    client.ask(9, &commit("g", "t", Uuid::ZERO, 42));
    let gone = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    client.ask(5, &gone);
    create(&mut client, "t", 1);
    assert_eq!(committed(&mut client, "g", "t"), -1);
}
