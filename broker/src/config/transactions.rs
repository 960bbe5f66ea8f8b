//! The settings that concern transactions.

use super::{WrongValue, broker::Reader};

/// See the settings of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSettings {
    pub expiration_check_interval_ms: i32,
    pub id_expiration_ms: i32,
    pub max_timeout_ms: i32,
    pub topic_min_isr: i32,
    pub topic_partitions: i32,
    pub topic_replication_factor: i32,
    pub topic_segment_bytes: i32,
    pub two_phase_commit: bool,
}

impl TransactionSettings {
    pub(super) fn resolve(read: &Reader<'_>) -> Result<Self, WrongValue> {
        Ok(Self {
            expiration_check_interval_ms: read
                .int("transaction.remove.expired.transaction.cleanup.interval.ms")?,
            id_expiration_ms: read.int("transactional.id.expiration.ms")?,
            max_timeout_ms: read.int("transaction.max.timeout.ms")?,
            topic_min_isr: read.int("transaction.state.log.min.isr")?,
            topic_partitions: read.int("transaction.state.log.num.partitions")?,
            topic_replication_factor: read.int("transaction.state.log.replication.factor")?,
            topic_segment_bytes: read.int("transaction.state.log.segment.bytes")?,
            two_phase_commit: read.boolean("transaction.two.phase.commit.enable")?,
        })
    }
}
