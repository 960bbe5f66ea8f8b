//! A group from its records.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    Timestamp, Uuid,
    state::{
        decode_value,
        groups::{
            ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
            ConsumerGroupMetadataValue, ConsumerGroupRegularExpressionValue,
            ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataValue,
            GroupKey, consumer::TopicPartitions,
        },
    },
    wire::{Malformed, Record, Str},
};

use super::{
    Group,
    member::{About, Classic, Held, Member, Progress},
};
use crate::coordinator::group::{Groups, assignor::Partitions, kind::Kind};

/// Takes in a record of a consumer group, if it is one.
///
/// # Errors
/// The value makes no sense.
pub(in crate::coordinator::group) fn replay(
    groups: &mut Groups,
    key: &GroupKey,
    value: Option<Bytes>,
) -> Result<(), Malformed> {
    let Some(id) = group_of(key) else { return Ok(()) };
    if value.is_none() && groups.find_consumer_mut(id).is_none() {
        return Ok(());
    }
    if value.is_none() && matches!(key, GroupKey::ConsumerGroupMetadata(_)) {
        groups.remove_members(id);
        return Ok(());
    }
    let group = groups.group_mut(id, Timestamp::NONE);
    if !matches!(group.kind, Kind::Consumer(_)) {
        group.kind = Kind::Consumer(Box::new(Group::new(group.id.clone())));
    }
    match &mut group.kind {
        Kind::Consumer(group) => group.replay(key, value),
        Kind::Classic(_) => Ok(()),
    }
}

fn group_of(key: &GroupKey) -> Option<&Str> {
    match key {
        GroupKey::ConsumerGroupMetadata(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupPartitionMetadata(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupMemberMetadata(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupTargetAssignmentMetadata(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupTargetAssignmentMember(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupCurrentMemberAssignment(key) => Some(&key.group_id),
        GroupKey::ConsumerGroupRegularExpression(key) => Some(&key.group_id),
        _ => None,
    }
}

impl Group {
    fn replay(&mut self, key: &GroupKey, value: Option<Bytes>) -> Result<(), Malformed> {
        match key {
            GroupKey::ConsumerGroupMetadata(_) => {
                let value = decode::<ConsumerGroupMetadataValue>(value)?.unwrap_or_default();
                (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash);
            }
            GroupKey::ConsumerGroupPartitionMetadata(_) => {
                self.has_partition_metadata = value.is_some();
            }
            GroupKey::ConsumerGroupMemberMetadata(key) => {
                let id = key.member_id.detached();
                match decode::<ConsumerGroupMemberMetadataValue>(value)? {
                    Some(value) => {
                        let member = self.members.get(&id).cloned().unwrap_or_default();
                        let about = Arc::new(about_of(&value));
                        self.put(&id, Member { about, ..member });
                    }
                    None => self.remove(&id),
                }
            }
            GroupKey::ConsumerGroupTargetAssignmentMetadata(_) => {
                let value = decode::<ConsumerGroupTargetAssignmentMetadataValue>(value)?;
                let value = value.unwrap_or_default();
                self.target_epoch = value.assignment_epoch;
                self.assigned_at = Timestamp(value.assignment_timestamp);
            }
            GroupKey::ConsumerGroupTargetAssignmentMember(key) => {
                match decode::<ConsumerGroupTargetAssignmentMemberValue>(value)? {
                    Some(value) => {
                        let topics = value.topic_partitions.into_iter();
                        let topics = topics.map(|topic| (topic.topic_id, topic.partitions));
                        let target = Arc::new(partitions_of(topics));
                        self.targets.insert(key.member_id.detached(), target);
                    }
                    None => _ = self.targets.remove(&key.member_id),
                }
            }
            GroupKey::ConsumerGroupCurrentMemberAssignment(key) => {
                let id = key.member_id.detached();
                let value = decode::<ConsumerGroupCurrentMemberAssignmentValue>(value)?;
                self.replay_current(&id, value);
            }
            GroupKey::ConsumerGroupRegularExpression(key) => {
                let pattern = key.regular_expression.detached();
                match decode::<ConsumerGroupRegularExpressionValue>(value)? {
                    Some(value) => {
                        let topics = value.topics.iter().map(Str::detached).collect();
                        self.patterns.entry(pattern).or_default().topics = Arc::new(topics);
                    }
                    None => _ = self.patterns.remove(&pattern),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn replay_current(
        &mut self,
        id: &Str,
        value: Option<ConsumerGroupCurrentMemberAssignmentValue>,
    ) {
        let known = self.members.get(id).cloned();
        let member = match value {
            Some(value) => Member {
                about: known.unwrap_or_default().about,
                epoch: value.member_epoch,
                previous_epoch: value.previous_member_epoch,
                progress: Progress::from_number(value.state),
                assigned: Arc::new(held(value.assigned_partitions, value.member_epoch)),
                revoking: Arc::new(held(value.partitions_pending_revocation, value.member_epoch)),
            },
            // What it says of itself goes with a record of its own.
            None => match known {
                Some(known) => Member { about: known.about, ..Member::default() },
                None => return,
            },
        };
        self.put(id, member);
    }
}

fn decode<R: Record>(value: Option<Bytes>) -> Result<Option<R>, Malformed> {
    value.map(decode_value::<R>).transpose()
}

fn about_of(value: &ConsumerGroupMemberMetadataValue) -> About {
    let classic = value.classic_member_metadata.0.as_ref().map(|classic| {
        let protocols = classic.supported_protocols.iter();
        let protocols = protocols
            .map(|one| (one.name.detached(), Bytes::copy_from_slice(&one.metadata)))
            .collect();
        Arc::new(Classic { session_timeout_ms: classic.session_timeout_ms, protocols })
    });
    let detached = |text: &Option<Str>| text.as_ref().map(Str::detached);
    About {
        instance: detached(&value.instance_id),
        rack: detached(&value.rack_id),
        client_id: value.client_id.detached(),
        client_host: value.client_host.detached(),
        topics: Arc::new(value.subscribed_topic_names.iter().map(Str::detached).collect()),
        pattern: detached(&value.subscribed_topic_regex).unwrap_or_default(),
        assignor: detached(&value.server_assignor),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        classic,
    }
}

/// Before Kafka 4.4 epochs were not told: a member is then taken to have been given all of it last.
fn held(topics: Vec<TopicPartitions>, member_epoch: i32) -> Held {
    let topic = |topic: TopicPartitions| {
        let told = topic.assignment_epochs.unwrap_or_default();
        let epochs = match told.len() == topic.partitions.len() {
            true => told,
            false => vec![member_epoch.max(0); topic.partitions.len()],
        };
        (topic.topic_id, topic.partitions.into_iter().zip(epochs).collect())
    };
    topics.into_iter().map(topic).collect()
}

fn partitions_of(topics: impl Iterator<Item = (Uuid, Vec<i32>)>) -> Partitions {
    topics.map(|(id, indexes)| (id, indexes.into_iter().collect::<BTreeSet<_>>())).collect()
}
