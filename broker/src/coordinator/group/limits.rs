//! What the broker's settings allow groups.

use super::assignor::Assignor;
use crate::config::{BrokerConfig, GroupConfig, Migration};

/// See the settings of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub session_timeout_min_ms: i32,
    pub session_timeout_max_ms: i32,
    pub initial_rebalance_delay_ms: i32,
    pub members_max: usize,
    pub metadata_max_bytes: usize,
    pub retention_ms: i64,
    pub retention_check_ms: i64,
    pub consumer: ConsumerLimits,
}

/// What concerns groups of the consumer protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerLimits {
    pub enabled: bool,
    /// The best one first.
    pub assignors: Vec<Assignor>,
    pub members_max: usize,
    pub migration: Migration,
    /// What a group has that nothing was set for.
    pub defaults: GroupConfig,
}

impl Limits {
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        let groups = &config.groups;
        Self {
            session_timeout_min_ms: groups.session_timeout_min_ms,
            session_timeout_max_ms: groups.session_timeout_max_ms,
            initial_rebalance_delay_ms: groups.initial_rebalance_delay_ms,
            members_max: usize::try_from(groups.size_max).unwrap_or_default(),
            metadata_max_bytes: usize::try_from(groups.offset_metadata_max_bytes)
                .unwrap_or_default(),
            retention_ms: i64::from(groups.offsets_retention_minutes) * MINUTE_MS,
            retention_check_ms: groups.offsets_retention_check_interval_ms,
            consumer: ConsumerLimits {
                enabled: groups.consumer_enabled,
                assignors: groups
                    .consumer_assignors
                    .iter()
                    .filter_map(|name| Assignor::parse(name))
                    .collect(),
                members_max: usize::try_from(groups.consumer_size_max).unwrap_or_default(),
                migration: groups.consumer_migration,
                defaults: groups.group.clone(),
            },
        }
    }

    /// Whether an offset may have this metadata.
    pub(super) fn metadata_fits(&self, metadata: Option<&str>) -> bool {
        let metadata = metadata.unwrap_or_default();
        // Java counts units of UTF-16; there are never more of them than bytes.
        let max = self.metadata_max_bytes;
        metadata.len() <= max || metadata.encode_utf16().take(max + 1).count() <= max
    }
}

const MINUTE_MS: i64 = 60_000;
