//! OffsetDelete, and topics that are deleted with what was committed for them.

use std::collections::BTreeSet;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        OffsetDeleteRequest, OffsetDeleteResponse,
        groups::offset_delete::{
            OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
        },
    },
    wire::Str,
};

use super::{CLEANUP_BYTES, Committed, tombstone};
use crate::coordinator::{
    group::{Groups, kind::Group},
    runtime::Turn,
};

/// Topics that members read keep their offsets.
pub(in crate::coordinator::group) fn delete(
    groups: &mut Groups,
    r: &OffsetDeleteRequest,
    turn: &mut Turn<Groups>,
) -> OffsetDeleteResponse {
    let refused = |error_code| OffsetDeleteResponse { error_code, ..Default::default() };
    let Some(group) = groups.find_mut(&r.group_id) else {
        return refused(ErrorCode::GroupIdNotFound);
    };
    if !group.is_empty() && !group.uses_consumer_protocol() {
        return refused(ErrorCode::NonEmptyGroup);
    }
    let subscribed = group.subscribed_topics();
    let topics = r
        .topics
        .iter()
        .map(|topic| {
            let read = match &subscribed {
                Some(topics) => topics.contains(&topic.name),
                None => group.uses_consumer_protocol(),
            };
            if !read {
                remove_all(group, topic, turn);
            }
            answer(topic, if read { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None })
        })
        .collect();
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}

/// Drops what any group committed for `topics`, which are gone: not for others of the same name.
/// False if there is more of it than is written at once.
pub(in crate::coordinator::group) fn forget(
    groups: &mut Groups,
    topics: &[(Str, Uuid)],
    turn: &mut Turn<Groups>,
) -> bool {
    let enough = turn.bytes() + CLEANUP_BYTES;
    for (topic, topic_id) in topics {
        let holders: Vec<Str> = groups
            .groups
            .iter()
            .filter(|(_, group)| group.offsets.of_topic(topic).next().is_some())
            .map(|(id, _)| id.clone())
            .collect();
        for id in holders {
            let Some(group) = groups.find_mut(&id) else { continue };
            for partition in committed_in(group, topic, *topic_id) {
                if turn.bytes() >= enough {
                    return false;
                }
                turn.write(tombstone(&id, topic, partition));
                group.offsets.remove(topic, partition);
            }
        }
    }
    true
}

/// The partitions of this very topic that the group has an offset for.
fn committed_in(group: &Group, topic: &Str, topic_id: Uuid) -> BTreeSet<i32> {
    let of_topic = |committed: &Committed| {
        committed.topic_id.is_zero() || topic_id.is_zero() || committed.topic_id == topic_id
    };
    let offsets = group.offsets.of_topic(topic);
    offsets.filter(|(_, one)| of_topic(one)).map(|(partition, _)| partition).collect()
}

fn remove_all(group: &mut Group, topic: &OffsetDeleteRequestTopic, turn: &mut Turn<Groups>) {
    for partition in &topic.partitions {
        let index = partition.partition_index;
        if group.offsets.of_topic(&topic.name).any(|(partition, _)| partition == index) {
            turn.write(tombstone(&group.id, &topic.name, index));
            group.offsets.remove(&topic.name, index);
        }
    }
}

fn answer(topic: &OffsetDeleteRequestTopic, error_code: ErrorCode) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
        partition_index: partition.partition_index,
        error_code,
    });
    OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
}
