//! The settings that concern groups and the offsets that they commit.

use super::{WrongValue, broker::Reader};

/// See the settings of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
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
        Ok(Self {
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
