//! The settings that concern groups and the offsets that they commit, and those of one group.

use super::{Key, Settings, Value, WrongValue, broker::Reader, table};

/// See the settings of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Names, best first; never empty.
    pub consumer_assignors: Vec<String>,
    pub consumer_enabled: bool,
    pub consumer_migration: Migration,
    pub consumer_size_max: i32,
    /// What a group has that overrides nothing, and what it may be set to.
    pub group: GroupConfig,
    pub group_min: GroupConfig,
    pub group_max: GroupConfig,
    pub initial_rebalance_delay_ms: i32,
    pub offset_metadata_max_bytes: i32,
    pub offsets_commit_timeout_ms: i32,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_retention_minutes: i32,
    pub offsets_topic_partitions: i32,
    pub offsets_topic_replication_factor: i32,
    pub session_timeout_max_ms: i32,
    pub session_timeout_min_ms: i32,
    pub size_max: i32,
}

impl GroupSettings {
    pub(super) fn resolve(read: &Reader<'_>) -> Result<Self, WrongValue> {
        let group = |of: [&'static str; 3]| {
            Ok(GroupConfig {
                assignment_interval_ms: read.int(of[0])?,
                heartbeat_interval_ms: read.int(of[1])?,
                session_timeout_ms: read.int(of[2])?,
            })
        };
        let protocols = read.list("group.coordinator.rebalance.protocols")?.unwrap_or_default();
        Ok(Self {
            consumer_assignors: read.list("group.consumer.assignors")?.unwrap_or_default(),
            consumer_enabled: protocols.iter().any(|name| name == "consumer"),
            consumer_migration: Migration::parse(
                &read.string("group.consumer.migration.policy")?.unwrap_or_default(),
            ),
            consumer_size_max: read.int("group.consumer.max.size")?,
            group: group([
                "group.consumer.assignment.interval.ms",
                "group.consumer.heartbeat.interval.ms",
                "group.consumer.session.timeout.ms",
            ])?,
            group_min: group([
                "group.consumer.min.assignment.interval.ms",
                "group.consumer.min.heartbeat.interval.ms",
                "group.consumer.min.session.timeout.ms",
            ])?,
            group_max: group([
                "group.consumer.max.assignment.interval.ms",
                "group.consumer.max.heartbeat.interval.ms",
                "group.consumer.max.session.timeout.ms",
            ])?,
            initial_rebalance_delay_ms: read.int("group.initial.rebalance.delay.ms")?,
            offset_metadata_max_bytes: read.int("offset.metadata.max.bytes")?,
            offsets_commit_timeout_ms: read.int("offsets.commit.timeout.ms")?,
            offsets_retention_check_interval_ms: read
                .long("offsets.retention.check.interval.ms")?,
            offsets_retention_minutes: read.int("offsets.retention.minutes")?,
            offsets_topic_partitions: read.int("offsets.topic.num.partitions")?,
            offsets_topic_replication_factor: read.int("offsets.topic.replication.factor")?,
            session_timeout_max_ms: read.int("group.max.session.timeout.ms")?,
            session_timeout_min_ms: read.int("group.min.session.timeout.ms")?,
            size_max: read.int("group.max.size")?,
        })
    }
}

/// Which way a group may go when its members change their protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// From classic to consumer.
    pub upgrade: bool,
    pub downgrade: bool,
}

impl Migration {
    fn parse(policy: &str) -> Self {
        let both = policy == "bidirectional";
        Self { upgrade: both || policy == "upgrade", downgrade: both || policy == "downgrade" }
    }
}

/// What is in force for a group: its own settings over the broker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    pub assignment_interval_ms: i32,
    pub heartbeat_interval_ms: i32,
    pub session_timeout_ms: i32,
}

impl GroupConfig {
    /// These defaults with a group's own settings on top. One that this release does not know is
    /// passed over.
    #[must_use]
    pub fn with(&self, own: &Settings) -> Self {
        let mut config = self.clone();
        for (name, text) in own {
            if let Some(key) = table().group(name)
                && let Ok(Value::Int(value)) = key.parse(text)
                && let Some(field) = config.field(key)
            {
                *field = value;
            }
        }
        config
    }

    /// Whether `text` can be set for `key`, given what the broker allows groups.
    ///
    /// # Errors
    /// Names the key, the value and what is allowed.
    pub fn check(key: &Key, text: &str, broker: &GroupSettings) -> Result<(), WrongValue> {
        let (mut min, mut max) = (broker.group_min.clone(), broker.group_max.clone());
        let Value::Int(value) = key.parse(text)? else { return Err(key.wrong(text)) };
        match (min.field(key), max.field(key)) {
            (Some(min), Some(max)) if (*min..=*max).contains(&value) => Ok(()),
            (Some(min), Some(max)) => {
                let allowed = format!("int from {min} to {max}");
                Err(WrongValue { allowed, ..key.wrong(text) })
            }
            _ => Err(key.wrong(text)),
        }
    }

    fn field(&mut self, key: &Key) -> Option<&mut i32> {
        match key.name {
            "consumer.assignment.interval.ms" => Some(&mut self.assignment_interval_ms),
            "consumer.heartbeat.interval.ms" => Some(&mut self.heartbeat_interval_ms),
            "consumer.session.timeout.ms" => Some(&mut self.session_timeout_ms),
            _ => None,
        }
    }
}
