//! How far groups have read.

mod commit;
mod delete;
mod expiry;
mod fetch;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::BTreeSet;

use imbl::OrdMap;
use milena_protocol::{
    ProducerId, Timestamp, Uuid,
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
pub(super) use transaction::{commit as commit_in_transaction, end};

use super::{Groups, kind::Group};
use crate::coordinator::runtime::StateRecord;

/// What a group has committed. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets {
    committed: ByTopic,
    /// What will be committed if the transaction of a producer is. A producer stays here until its
    /// transaction ends, even if what it has here was deleted meanwhile.
    pending: OrdMap<ProducerId, ByTopic>,
    /// How often something was committed, pending or not.
    count: u64,
}

/// By topic and partition. No topic without a partition.
type ByTopic = OrdMap<Str, OrdMap<i32, Committed>>;

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
    /// Which of the group's commits this is: they are in this order in the log.
    nth: u64,
}

impl Offsets {
    /// Whether nothing is committed, and no transaction open in which something may be.
    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.committed.get(topic)?.get(&partition)
    }

    fn put(&mut self, topic: &str, partition: i32, committed: Committed) {
        let nth = self.next();
        put(&mut self.committed, topic, partition, Committed { nth, ..committed });
    }

    fn put_pending(
        &mut self,
        producer: ProducerId,
        topic: &str,
        partition: i32,
        committed: Committed,
    ) {
        let nth = self.next();
        let pending = self.pending.entry(producer).or_default();
        put(pending, topic, partition, Committed { nth, ..committed });
    }

    /// Whether an open transaction may still change the offset.
    fn is_pending(&self, topic: &str, partition: i32) -> bool {
        let has =
            |offsets: &ByTopic| offsets.get(topic).is_some_and(|of| of.contains_key(&partition));
        self.pending.values().any(has)
    }

    /// What is pending takes effect or is forgotten.
    fn end(&mut self, producer: ProducerId, commit: bool) {
        let pending = self.pending.remove(&producer).filter(|_| commit).unwrap_or_default();
        for (topic, offsets) in &pending {
            for (&partition, one) in offsets {
                // What was committed later stays, transaction or not.
                if self.get(topic, partition).is_none_or(|found| found.nth < one.nth) {
                    put(&mut self.committed, topic, partition, one.clone());
                }
            }
        }
    }

    /// Forgets what is committed and what is pending.
    fn remove(&mut self, topic: &str, partition: i32) {
        remove(&mut self.committed, topic, partition);
        let concerned: Vec<ProducerId> = self
            .pending
            .iter()
            .filter(|(_, offsets)| offsets.contains_key(topic))
            .map(|(&producer, _)| producer)
            .collect();
        for producer in concerned {
            if let Some(offsets) = self.pending.get_mut(&producer) {
                remove(offsets, topic, partition);
            }
        }
    }

    /// The partitions of a topic that there is something for, committed or pending.
    fn of_topic(&self, topic: &str) -> impl Iterator<Item = (i32, &Committed)> {
        let all = std::iter::once(&self.committed).chain(self.pending.values());
        let topic = topic.to_owned();
        all.filter_map(move |offsets| offsets.get(topic.as_str()))
            .flat_map(|offsets| offsets.iter().map(|(&partition, one)| (partition, one)))
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
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
            nth: 0,
        }
    }
}

/// Takes in a record from the log. A group that is not there is one that only commits.
pub(super) fn replay(
    groups: &mut Groups,
    producer: Option<ProducerId>,
    key: &OffsetCommitKey,
    value: Option<&OffsetCommitValue>,
) {
    let (topic, partition) = (&key.topic, key.partition);
    match value.map(Committed::restore) {
        Some(committed) => {
            let group = groups.group_mut(&key.group, committed.at);
            match producer {
                Some(producer) => {
                    group.offsets.put_pending(producer, topic, partition, committed);
                    groups.note_transaction(producer, &key.group);
                }
                None => group.offsets.put(topic, partition, committed),
            }
        }
        None => {
            if let Some(group) = groups.find_mut(&key.group) {
                group.offsets.remove(topic, partition);
            }
        }
    }
}

/// Every partition that the group has an offset for, or may have when a transaction commits.
pub(super) fn all_of(group: &Group) -> BTreeSet<(Str, i32)> {
    let offsets = &group.offsets;
    let all = std::iter::once(&offsets.committed).chain(offsets.pending.values());
    all.flat_map(|offsets| offsets.iter())
        .flat_map(|(topic, of)| of.keys().map(move |&partition| (topic.clone(), partition)))
        .collect()
}

pub(super) fn tombstone(group: &Str, topic: &Str, partition: i32) -> StateRecord {
    StateRecord { key: key(group, topic, partition), value: None }
}

fn put(offsets: &mut ByTopic, topic: &str, partition: i32, committed: Committed) {
    offsets.entry(Str::from(topic)).or_default().insert(partition, committed);
}

fn remove(offsets: &mut ByTopic, topic: &str, partition: i32) {
    if let Some(of_topic) = offsets.get_mut(topic) {
        of_topic.remove(&partition);
        if of_topic.is_empty() {
            offsets.remove(topic);
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
