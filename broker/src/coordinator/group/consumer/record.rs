//! A group's records. Each method here changes the group and writes down the change, so that
//! replaying the records makes the same group.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_protocol::{
    state::{
        encode_value,
        groups::{
            ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
            ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue,
            ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
            ConsumerGroupPartitionMetadataKey, ConsumerGroupRegularExpressionKey,
            ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
            ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
            ConsumerGroupTargetAssignmentMetadataValue, GroupKey,
            consumer::{ClassicMemberMetadata, ClassicProtocol, TopicPartition, TopicPartitions},
        },
    },
    wire::{Record, Str, tagged::TaggedOption},
};

use super::{
    Group,
    member::{About, Held, Member, Progress},
};
use crate::coordinator::{
    group::{assignor::Partitions, machine::Step},
    runtime::StateRecord,
};

impl Group {
    pub(super) fn write_epoch(&self, step: &mut Step<'_>) {
        let value =
            ConsumerGroupMetadataValue { epoch: self.epoch, metadata_hash: self.metadata_hash };
        step.turn.write(put(&self.key(), &value));
    }

    /// The target is now for the group's epoch.
    pub(super) fn write_target_epoch(&mut self, step: &mut Step<'_>) {
        self.target_epoch = self.epoch;
        self.assigned_at = step.turn.now.wall;
        let value = ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: self.target_epoch,
            assignment_timestamp: self.assigned_at.0,
        };
        step.turn.write(put(&self.target_epoch_key(), &value));
    }

    pub(super) fn write_about(&mut self, id: &Str, member: Member, step: &mut Step<'_>) {
        step.turn.write(put(&self.about_key(id), &about_value(&member.about)));
        self.put(id, member);
    }

    pub(super) fn write_current(&mut self, id: &Str, member: Member, step: &mut Step<'_>) {
        step.turn.write(put(&self.current_key(id), &current_value(&member)));
        self.put(id, member);
    }

    pub(super) fn write_target(&mut self, id: &Str, target: Arc<Partitions>, step: &mut Step<'_>) {
        let topic = |(&topic_id, indexes): (_, &BTreeSet<i32>)| TopicPartition {
            topic_id,
            partitions: indexes.iter().copied().collect(),
        };
        let topic_partitions = target.iter().map(topic).collect();
        let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions };
        step.turn.write(put(&self.target_key(id), &value));
        self.targets.insert(id.clone(), target);
    }

    pub(super) fn write_removal(&mut self, id: &Str, step: &mut Step<'_>) {
        for key in [self.current_key(id), self.target_key(id), self.about_key(id)] {
            step.turn.write(remove(&key));
        }
        self.remove(id);
    }

    pub(super) fn write_pattern(
        &mut self,
        pattern: &Str,
        topics: BTreeSet<Str>,
        step: &mut Step<'_>,
    ) {
        let value = ConsumerGroupRegularExpressionValue {
            topics: topics.iter().cloned().collect(),
            version: step.catalog.version(),
            timestamp: step.turn.now.wall.0,
        };
        step.turn.write(put(&self.pattern_key(pattern), &value));
        self.patterns.entry(pattern.clone()).or_default().topics = Arc::new(topics);
    }

    pub(super) fn write_pattern_removal(&mut self, pattern: &Str, step: &mut Step<'_>) {
        step.turn.write(remove(&self.pattern_key(pattern)));
        self.patterns.remove(pattern);
    }

    /// What removes the group from the log, in the order in which Kafka takes it apart.
    pub(in crate::coordinator::group) fn tombstones(&self) -> Vec<StateRecord> {
        let mut keys: Vec<GroupKey> = Vec::new();
        keys.extend(self.members.keys().map(|id| self.current_key(id)));
        keys.extend(self.members.keys().map(|id| self.target_key(id)));
        keys.push(self.target_epoch_key());
        keys.extend(self.members.keys().map(|id| self.about_key(id)));
        keys.extend(self.patterns.keys().map(|pattern| self.pattern_key(pattern)));
        if self.has_partition_metadata {
            let key = ConsumerGroupPartitionMetadataKey { group_id: self.id.clone() };
            keys.push(GroupKey::ConsumerGroupPartitionMetadata(key));
        }
        keys.push(self.key());
        keys.iter().map(remove).collect()
    }

    fn key(&self) -> GroupKey {
        GroupKey::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id: self.id.clone() })
    }

    fn target_epoch_key(&self) -> GroupKey {
        let group_id = self.id.clone();
        let key = ConsumerGroupTargetAssignmentMetadataKey { group_id };
        GroupKey::ConsumerGroupTargetAssignmentMetadata(key)
    }

    fn about_key(&self, id: &Str) -> GroupKey {
        let (group_id, member_id) = (self.id.clone(), id.clone());
        let key = ConsumerGroupMemberMetadataKey { group_id, member_id };
        GroupKey::ConsumerGroupMemberMetadata(key)
    }

    fn current_key(&self, id: &Str) -> GroupKey {
        let (group_id, member_id) = (self.id.clone(), id.clone());
        let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id };
        GroupKey::ConsumerGroupCurrentMemberAssignment(key)
    }

    fn target_key(&self, id: &Str) -> GroupKey {
        let (group_id, member_id) = (self.id.clone(), id.clone());
        let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id };
        GroupKey::ConsumerGroupTargetAssignmentMember(key)
    }

    fn pattern_key(&self, pattern: &Str) -> GroupKey {
        let (group_id, regular_expression) = (self.id.clone(), pattern.clone());
        let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression };
        GroupKey::ConsumerGroupRegularExpression(key)
    }
}

impl Progress {
    pub(super) const fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::Unrevoked => 1,
            Self::Unreleased => 2,
        }
    }

    /// A state of a later release: what the member owns counts as not given up.
    pub(super) const fn from_number(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            2 => Self::Unreleased,
            _ => Self::Unrevoked,
        }
    }
}

fn about_value(about: &About) -> ConsumerGroupMemberMetadataValue {
    let classic = about.classic.as_ref().map(|classic| ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: classic
            .protocols
            .iter()
            .map(|(name, metadata)| ClassicProtocol {
                name: name.clone(),
                metadata: metadata.clone(),
            })
            .collect(),
    });
    ConsumerGroupMemberMetadataValue {
        instance_id: about.instance.clone(),
        rack_id: about.rack.clone(),
        client_id: about.client_id.clone(),
        client_host: about.client_host.clone(),
        subscribed_topic_names: about.topics.iter().cloned().collect(),
        subscribed_topic_regex: Some(about.pattern.clone()),
        rebalance_timeout_ms: about.rebalance_timeout_ms,
        server_assignor: about.assignor.clone(),
        classic_member_metadata: TaggedOption(classic),
    }
}

fn current_value(member: &Member) -> ConsumerGroupCurrentMemberAssignmentValue {
    let listed = |held: &Held| {
        let topic = |(&topic_id, indexes): (_, &BTreeMap<i32, i32>)| TopicPartitions {
            topic_id,
            partitions: indexes.keys().copied().collect(),
            assignment_epochs: Some(indexes.values().copied().collect()),
        };
        held.iter().map(topic).collect()
    };
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch,
        previous_member_epoch: member.previous_epoch,
        state: member.progress.number(),
        assigned_partitions: listed(&member.assigned),
        partitions_pending_revocation: listed(&member.revoking),
    }
}

fn put(key: &GroupKey, value: &impl Record) -> StateRecord {
    StateRecord { key: key.encode(), value: Some(encode_value(value, VALUE_VERSION)) }
}

fn remove(key: &GroupKey) -> StateRecord {
    StateRecord { key: key.encode(), value: None }
}

/// All these records have but one version.
const VALUE_VERSION: i16 = 0;
