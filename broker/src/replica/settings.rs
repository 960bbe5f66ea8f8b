//! A topic's settings as its logs need them.

use milena_protocol::{
    compression::{Codec, Compression},
    records,
};
use milena_storage::log::LogConfig;

use crate::config::{self, BrokerConfig, TimestampType, TopicConfig};

/// Settings are checked when they are made, so that nothing here can be out of range; what is, all
/// the same, is taken for the nearest bound.
pub(super) fn log_config(broker: &BrokerConfig, topic: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: u64::try_from(topic.segment_bytes).unwrap_or(0),
        // What is not rolled cannot be compacted in time.
        segment_ms: if topic.compact {
            topic.segment_ms.min(topic.max_compaction_lag_ms)
        } else {
            topic.segment_ms
        },
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: u32::try_from(topic.segment_index_bytes).unwrap_or(0),
        index_interval_bytes: u32::try_from(topic.index_interval_bytes).unwrap_or(0),
        max_message_bytes: u32::try_from(topic.max_message_bytes).unwrap_or(0),
        retention_ms: (topic.retention_ms >= 0).then_some(topic.retention_ms),
        retention_bytes: u64::try_from(topic.retention_bytes).ok(),
        delete: topic.delete,
        compact: topic.compact,
        compression: compression(topic),
        timestamp_type: match topic.timestamp_type {
            TimestampType::CreateTime => records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: topic.timestamp_before_max_ms,
        timestamp_after_max_ms: topic.timestamp_after_max_ms,
        file_delete_delay_ms: topic.file_delete_delay_ms,
        preallocate: topic.preallocate,
        producer_expiration_ms: i64::from(broker.producer_id_expiration_ms),
        verify_transactions: broker.transaction_verification,
    }
}

/// What batches are rewritten with; a level that the codec does not have is its default.
fn compression(topic: &TopicConfig) -> Option<Compression> {
    let with_level = |codec: Codec, level| Compression::new(codec, level).unwrap_or(codec.into());
    Some(match topic.compression {
        config::Compression::Producer => return None,
        config::Compression::Uncompressed => Codec::None.into(),
        config::Compression::Gzip => with_level(Codec::Gzip, topic.gzip_level),
        config::Compression::Snappy => Codec::Snappy.into(),
        config::Compression::Lz4 => with_level(Codec::Lz4, topic.lz4_level),
        config::Compression::Zstd => with_level(Codec::Zstd, topic.zstd_level),
    })
}
