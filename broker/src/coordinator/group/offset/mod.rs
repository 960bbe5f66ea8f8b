//! How far groups have read.

mod commit;
mod delete;
mod expiry;
mod fetch;
#[cfg(test)]
mod tests;

use imbl::OrdMap;
use milena_protocol::{
    Timestamp, Uuid,
    state::{
        encode_value,
        groups::{GroupKey, OffsetCommitKey, OffsetCommitValue},
    },
    wire::Str,
};

pub(super) use commit::commit;
pub(super) use delete::{delete, forget};
pub(super) use expiry::expire;
pub(super) use fetch::fetch;

use super::{Groups, kind::Group};
use crate::coordinator::runtime::StateRecord;

/// A group's offsets by topic and partition. Cheap to clone; no topic without a partition.
pub(super) type Offsets = OrdMap<Str, OrdMap<i32, Committed>>;

/// What was committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    offset: i64,
    /// -1: not known.
    leader_epoch: i32,
    metadata: Str,
    /// Which topic of that name; zero if that was not known.
    topic_id: Uuid,
    at: Timestamp,
    /// Clients before Kafka 2.1 say themselves how long to keep it.
    expires_at: Option<Timestamp>,
}

impl Committed {
    fn record(&self, group: &Str, topic: &Str, partition: i32) -> StateRecord {
        let value = OffsetCommitValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.clone(),
            commit_timestamp: self.at.0,
            expire_timestamp: self.expires_at.unwrap_or(Timestamp::NONE).0,
            topic_id: self.topic_id,
        };
        // Only version 1 has a place for an expiry.
        let version = if self.expires_at.is_some() { 1 } else { VALUE_VERSION };
        StateRecord {
            key: key(group, topic, partition),
            value: Some(encode_value(&value, version)),
        }
    }

    fn restore(value: &OffsetCommitValue) -> Self {
        let expires_at = Some(Timestamp(value.expire_timestamp));
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.detached(),
            topic_id: value.topic_id,
            at: Timestamp(value.commit_timestamp),
            expires_at: expires_at.filter(|&at| at != Timestamp::NONE),
        }
    }
}

/// Takes in a record from the log. A group that is not there is one that only commits.
pub(super) fn replay(
    groups: &mut Groups,
    key: &OffsetCommitKey,
    value: Option<&OffsetCommitValue>,
) {
    match value {
        Some(value) => {
            let committed = Committed::restore(value);
            let group = groups.group_mut(&key.group, committed.at);
            put(group, &key.topic, key.partition, committed);
        }
        None => {
            if let Some(group) = groups.find_mut(&key.group) {
                remove(group, &key.topic, key.partition);
            }
        }
    }
}

/// Every partition that the group has an offset for.
pub(super) fn all_of(group: &Group) -> Vec<(Str, i32)> {
    let partitions = |(topic, offsets): (&Str, &OrdMap<i32, Committed>)| {
        let topic = topic.clone();
        offsets.keys().map(move |&partition| (topic.clone(), partition)).collect::<Vec<_>>()
    };
    group.offsets.iter().flat_map(partitions).collect()
}

pub(super) fn tombstone(group: &Str, topic: &Str, partition: i32) -> StateRecord {
    StateRecord { key: key(group, topic, partition), value: None }
}

fn put(group: &mut Group, topic: &str, partition: i32, committed: Committed) {
    group.offsets.entry(Str::from(topic)).or_default().insert(partition, committed);
}

fn remove(group: &mut Group, topic: &Str, partition: i32) {
    if let Some(offsets) = group.offsets.get_mut(topic) {
        offsets.remove(&partition);
        if offsets.is_empty() {
            group.offsets.remove(topic);
        }
    }
}

fn key(group: &Str, topic: &Str, partition: i32) -> bytes::Bytes {
    let key = OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition };
    GroupKey::OffsetCommit(key).encode()
}

/// What Kafka writes since it keeps topic ids.
const VALUE_VERSION: i16 = 4;
/// What is cleaned up in one turn: well below what a log takes in one batch.
const CLEANUP_BYTES: usize = 128 * 1024;
