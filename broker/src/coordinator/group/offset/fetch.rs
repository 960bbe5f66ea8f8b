//! OffsetFetch.

use milena_protocol::{
    messages::groups::offset_fetch::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
        OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    },
    wire::Str,
};

use super::Committed;
use crate::coordinator::group::kind::Group;

/// The offsets that were asked for, -1 where there is none; or all that there are. A group that
/// does not exist has none.
pub(in crate::coordinator::group) fn fetch(
    group: Option<&Group>,
    r: &OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let topics = match &r.topics {
        Some(topics) => topics.iter().map(|topic| fetch_topic(group, topic)).collect(),
        None => group.map(all).unwrap_or_default(),
    };
    OffsetFetchResponseGroup { group_id: r.group_id.clone(), topics, ..Default::default() }
}

fn fetch_topic(group: Option<&Group>, r: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let offsets = group.and_then(|group| group.offsets.get(&r.name));
    // An offset in a topic of the same name that is no more says nothing about this one.
    let is_of_topic = |found: &&Committed| {
        found.topic_id.is_zero() || r.topic_id.is_zero() || found.topic_id == r.topic_id
    };
    let fetch = |&index: &i32| {
        partition(index, offsets.and_then(|offsets| offsets.get(&index)).filter(is_of_topic))
    };
    OffsetFetchResponseTopics {
        name: r.name.clone(),
        topic_id: r.topic_id,
        partitions: r.partition_indexes.iter().map(fetch).collect(),
    }
}

fn all(group: &Group) -> Vec<OffsetFetchResponseTopics> {
    let topics = group.offsets.iter().map(|(name, offsets)| OffsetFetchResponseTopics {
        name: name.clone(),
        partitions: offsets.iter().map(|(&index, found)| partition(index, Some(found))).collect(),
        ..OffsetFetchResponseTopics::default()
    });
    topics.collect()
}

fn partition(index: i32, found: Option<&Committed>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: found.map_or(NO_OFFSET, |found| found.offset),
        committed_leader_epoch: found.map_or(NO_EPOCH, |found| found.leader_epoch),
        metadata: Some(found.map_or(Str::default(), |found| found.metadata.clone())),
        ..OffsetFetchResponsePartitions::default()
    }
}

const NO_OFFSET: i64 = -1;
const NO_EPOCH: i32 = -1;
