//! What a tool asks about consumer groups.

use std::collections::BTreeMap;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest,
        FindCoordinatorRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
        groups::{
            consumer_group_describe,
            describe_groups::DescribedGroup,
            list_groups::ListedGroup,
            offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_fetch::OffsetFetchRequestGroup,
        },
    },
};

use super::{ClientError, Cluster, Connection};

/// What a group has committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

impl Cluster {
    /// The groups of all brokers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn groups(&mut self) -> Result<Vec<ListedGroup>, ClientError> {
        let mut groups = Vec::new();
        for node in self.nodes() {
            let answer = self.broker(node).await?.call(&ListGroupsRequest::default()).await?;
            ClientError::check("list groups", answer.error_code, None)?;
            groups.extend(answer.groups);
        }
        groups.sort_by(|a, b| a.group_id.as_str().cmp(b.group_id.as_str()));
        Ok(groups)
    }

    /// State and members of one group; one that does not exist is described as `Dead`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn describe_group(&mut self, group: &str) -> Result<DescribedGroup, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            ..DescribeGroupsRequest::default()
        };
        let answer = self.coordinator(group).await?.call(&request).await?;
        let what = format!("group {group}");
        let described = answer.groups.into_iter().next();
        let described = described.ok_or_else(|| ClientError::Missing { what: what.clone() })?;
        ClientError::check(what, described.error_code, described.error_message.as_deref())?;
        Ok(described)
    }

    /// State and members of a group whose members the broker assigns; `None` if the broker has no
    /// such group, or none of that kind.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn describe_consumer_group(
        &mut self,
        group: &str,
    ) -> Result<Option<consumer_group_describe::DescribedGroup>, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![group.into()],
            ..ConsumerGroupDescribeRequest::default()
        };
        let answer = match self.coordinator(group).await?.call(&request).await {
            Err(ClientError::NoCommonVersion { .. }) => return Ok(None),
            answer => answer?,
        };
        let what = format!("group {group}");
        let described = answer.groups.into_iter().next();
        let described = described.ok_or_else(|| ClientError::Missing { what: what.clone() })?;
        if described.error_code == ErrorCode::GroupIdNotFound {
            return Ok(None);
        }
        ClientError::check(what, described.error_code, described.error_message.as_deref())?;
        Ok(Some(described))
    }

    /// All that a group has committed, by topic and partition.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn committed(&mut self, group: &str) -> Result<Vec<Committed>, ClientError> {
        let request = OffsetFetchRequest {
            group_id: group.into(),
            topics: None,
            groups: vec![OffsetFetchRequestGroup {
                group_id: group.into(),
                topics: None,
                ..OffsetFetchRequestGroup::default()
            }],
            ..OffsetFetchRequest::default()
        };
        let answer = self.coordinator(group).await?.call(&request).await?;
        let what = || format!("offsets of group {group}");
        ClientError::check(what(), answer.error_code, None)?;
        let mut found: Vec<(String, Uuid, i32, i64, ErrorCode)> = Vec::new();
        for topic in answer.topics {
            found.extend(topic.partitions.iter().map(|partition| {
                let (index, offset) = (partition.partition_index, partition.committed_offset);
                (topic.name.to_string(), Uuid::ZERO, index, offset, partition.error_code)
            }));
        }
        for group in answer.groups {
            ClientError::check(what(), group.error_code, None)?;
            for topic in group.topics {
                found.extend(topic.partitions.iter().map(|partition| {
                    let (index, offset) = (partition.partition_index, partition.committed_offset);
                    (topic.name.to_string(), topic.topic_id, index, offset, partition.error_code)
                }));
            }
        }
        // The newest version names topics by their ids only.
        let mut names = BTreeMap::new();
        if found.iter().any(|(name, ..)| name.is_empty()) {
            for topic in self.metadata(None).await?.topics {
                let name = topic.name.as_deref().unwrap_or_default().to_owned();
                names.insert(topic.topic_id, name);
            }
        }
        let mut committed = Vec::new();
        for (name, id, partition, offset, code) in found {
            let topic = if name.is_empty() { names.get(&id).cloned() } else { Some(name) };
            let topic = topic.unwrap_or_else(|| id.to_string());
            ClientError::check(format!("{} {topic}-{partition}", what()), code, None)?;
            committed.push(Committed { topic, partition, offset });
        }
        committed.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(committed)
    }

    /// Commits offsets for a group that has no members.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with UNKNOWN_MEMBER_ID if it has any; other [`ClientError`]s.
    pub async fn commit(&mut self, group: &str, offsets: &[Committed]) -> Result<(), ClientError> {
        let mut by_topic: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for committed in offsets {
            by_topic.entry(&committed.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: committed.partition,
                committed_offset: committed.offset,
                ..OffsetCommitRequestPartition::default()
            });
        }
        let mut topics = Vec::new();
        for (name, partitions) in by_topic {
            let topic_id = self.topic(name).await?.topic_id;
            topics.push(OffsetCommitRequestTopic { name: name.into(), topic_id, partitions });
        }
        let request = OffsetCommitRequest {
            group_id: group.into(),
            generation_id_or_member_epoch: NO_GENERATION,
            topics,
            ..OffsetCommitRequest::default()
        };
        let answer = self.coordinator(group).await?.call(&request).await?;
        for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            let what = format!("commit for group {group}, partition {}", partition.partition_index);
            ClientError::check(what, partition.error_code, None)?;
        }
        Ok(())
    }

    /// Deletes a group that has no members, and what it committed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_group(&mut self, group: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
        let answer = self.coordinator(group).await?.call(&request).await?;
        for result in answer.results {
            ClientError::check(format!("delete group {group}"), result.error_code, None)?;
        }
        Ok(())
    }

    /// The connection to the broker that coordinates a group.
    async fn coordinator(&mut self, group: &str) -> Result<&mut Connection, ClientError> {
        let node = self.coordinator_of(group).await?;
        self.broker(node).await
    }

    /// The broker that coordinates a group, once there is one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn coordinator_of(&mut self, group: &str) -> Result<i32, ClientError> {
        self.find_coordinator(GROUP_KEY, group, &format!("coordinator of group {group}")).await
    }

    /// The broker that coordinates what is called `key`, once there is one.
    pub(super) async fn find_coordinator(
        &mut self,
        key_type: i8,
        key: &str,
        what: &str,
    ) -> Result<i32, ClientError> {
        let request = FindCoordinatorRequest {
            key: key.into(),
            key_type,
            coordinator_keys: vec![key.into()],
        };
        let mut tries = FIND_TRIES;
        loop {
            let answer = self.call(&request).await?;
            // Version 4 answers key by key, those before it with the one answer.
            let (node, code) = match answer.coordinators.first() {
                Some(found) => (found.node_id, found.error_code),
                None => (answer.node_id, answer.error_code),
            };
            if code == ErrorCode::None {
                return Ok(node);
            }
            tries -= 1;
            if tries == 0 || !code.is_retriable() {
                return Err(ClientError::refused(what, code));
            }
            tokio::time::sleep(super::RETRY_AFTER).await;
        }
    }
}

const GROUP_KEY: i8 = 0;
const NO_GENERATION: i32 = -1;
/// The topic behind the coordinator may have to be made first.
const FIND_TRIES: u32 = 50;
