//! What a topic's configuration says about its logs.

use milena_protocol::{compression::Compression, records::TimestampType};

/// Replaced whole while the log is open ([`super::Log::set_config`]); every value is in force from
/// the next append, read or retention run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment is closed before it would grow beyond this (`segment.bytes`).
    pub segment_bytes: u64,
    /// Age, from its first batch's timestamp, at which a segment is closed (`segment.ms`).
    pub segment_ms: i64,
    /// How much earlier than `segment_ms` a segment may be closed, so that logs written in step do
    /// not roll in step (`segment.jitter.ms`).
    pub segment_jitter_ms: i64,
    /// Room for one index; a full index closes the segment (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// Bytes of batches between two index entries (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// The largest batch a client may append, header included (`max.message.bytes`).
    pub max_message_bytes: u32,
    /// `retention.ms`; `None` keeps records whatever their age.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; `None` keeps records whatever their size.
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`: every record needs a key.
    pub compact: bool,
    /// `compression.type`: batches of any other codec are rewritten; `None` (`producer`) leaves
    /// them as the client made them.
    pub compression: Option<Compression>,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`; `i64::MAX` accepts any age.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`; `i64::MAX` accepts any future.
    pub timestamp_after_max_ms: i64,
    /// How long an idle producer's last batches are remembered (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
    /// A transaction begins here only once its coordinator was asked
    /// (`transaction.partition.verification.enable`).
    pub verify_transactions: bool,
    /// How long a removed segment's files stay under their `.deleted` name
    /// (`file.delete.delay.ms`). The log does not wait: whoever drives retention does.
    pub file_delete_delay_ms: i64,
    /// Reserve a new segment's blocks at once (`preallocate`).
    pub preallocate: bool,
}

/// Kafka's defaults.
impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: (1 << 20) + RECORDS_OVERHEAD_BYTES,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            delete: true,
            compact: false,
            compression: None,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: HOUR_MS,
            producer_expiration_ms: DAY_MS,
            verify_transactions: true,
            file_delete_delay_ms: 60_000,
            preallocate: false,
        }
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// What Kafka adds to 1 MiB so that a record of that size fits with its envelope.
const RECORDS_OVERHEAD_BYTES: u32 = 12;
