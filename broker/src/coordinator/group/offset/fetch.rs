//! OffsetFetch.

use milena_protocol::{
    ErrorCode,
    messages::groups::offset_fetch::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
        OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    },
    wire::Str,
};

use super::{Committed, Offsets};
use crate::coordinator::group::kind::{Group, Reader};

/// The offsets that were asked for, -1 where there is none; or all that there are. A group that
/// does not exist has none. `stable` refuses those that an open transaction may still change.
pub(in crate::coordinator::group) fn fetch(
    group: Option<&Group>,
    r: &OffsetFetchRequestGroup,
    stable: bool,
) -> OffsetFetchResponseGroup {
    let who = Reader {
        member: r.member_id.as_deref(),
        instance: None,
        epoch: r.member_epoch,
        speaks_epochs: true,
        transactional: false,
    };
    let allowed = group.map_or(Ok(()), |group| group.check_fetch(who));
    let group_id = r.group_id.clone();
    if let Err(error_code) = allowed {
        return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() };
    }
    let offsets = group.map(|group| Fetched { offsets: &group.offsets, stable });
    let topics = match &r.topics {
        Some(topics) => topics.iter().map(|topic| fetch_topic(offsets, topic)).collect(),
        None => offsets.map(all).unwrap_or_default(),
    };
    OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
}

#[derive(Clone, Copy)]
struct Fetched<'a> {
    offsets: &'a Offsets,
    stable: bool,
}

impl Fetched<'_> {
    fn is_unstable(self, topic: &str, partition: i32) -> bool {
        self.stable && self.offsets.is_pending(topic, partition)
    }
}

fn fetch_topic(
    group: Option<Fetched<'_>>,
    r: &OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    // An offset in a topic of the same name that is no more says nothing about this one.
    let is_of_topic = |found: &&Committed| {
        found.topic_id.is_zero() || r.topic_id.is_zero() || found.topic_id == r.topic_id
    };
    let fetch = |&index: &i32| match group {
        Some(group) if group.is_unstable(&r.name, index) => unstable(index),
        Some(group) => partition(index, group.offsets.get(&r.name, index).filter(is_of_topic)),
        None => partition(index, None),
    };
    OffsetFetchResponseTopics {
        name: r.name.clone(),
        topic_id: r.topic_id,
        partitions: r.partition_indexes.iter().map(fetch).collect(),
    }
}

fn all(group: Fetched<'_>) -> Vec<OffsetFetchResponseTopics> {
    let fetch = |topic: &Str, index: i32, found: &Committed| match group.is_unstable(topic, index) {
        true => unstable(index),
        false => partition(index, Some(found)),
    };
    let topics = group.offsets.committed.iter().map(|(name, of_topic)| OffsetFetchResponseTopics {
        name: name.clone(),
        partitions: of_topic.iter().map(|(&index, found)| fetch(name, index, found)).collect(),
        ..OffsetFetchResponseTopics::default()
    });
    topics.collect()
}

fn unstable(index: i32) -> OffsetFetchResponsePartitions {
    let error_code = ErrorCode::UnstableOffsetCommit;
    OffsetFetchResponsePartitions { error_code, ..partition(index, None) }
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
