//! The settings of one topic, resolved and typed.

use std::fmt;

use super::{Key, Layers, Settings, Value, WrongValue, table};

/// What is in force for a topic: its own overrides over the broker's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// Of each key, the last record stays.
    pub compact: bool,
    pub delete_retention_ms: i64,
    pub compression: Compression,
    pub gzip_level: i32,
    pub lz4_level: i32,
    pub zstd_level: i32,
    /// Segments go when they are too old, or too many.
    pub delete: bool,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub flush_policy: FlushPolicy,
    pub index_interval_bytes: i32,
    /// `i64::MAX`: without limit.
    pub max_compaction_lag_ms: i64,
    pub max_message_bytes: i32,
    pub min_compaction_lag_ms: i64,
    /// The share of a log that may be uncompacted.
    pub min_dirty_ratio: f64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    /// Negative: without limit.
    pub retention_bytes: i64,
    /// Negative: without limit.
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub timestamp_before_max_ms: i64,
    pub timestamp_type: TimestampType,
}

/// What a topic stores its batches with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Whatever the producer chose.
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// When appended records are synced to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushPolicy {
    /// Before a produce with `acks=all` is answered.
    Ack,
    /// Every so often, by time or by number of records.
    Interval,
    /// Left to the operating system.
    Os,
}

impl FlushPolicy {
    /// The policy's name as a setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Interval => "interval",
            Self::Os => "os",
        }
    }
}

impl fmt::Display for FlushPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose time a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

impl TopicConfig {
    /// The settings of a topic that overrides nothing.
    ///
    /// # Errors
    /// If a broker setting that is the default of a topic setting is not valid for it.
    pub fn broker_default(layers: &Layers) -> Result<Self, WrongValue> {
        let mut config = Self::zero();
        for key in table().topic {
            let text = match layers.find(key.synonyms).first() {
                Some(found) => Some(found.converted()),
                None => key.default.map(str::to_owned),
            };
            if let Some(text) = text {
                config.set(key, &text)?;
            }
        }
        Ok(config)
    }

    /// These defaults with a topic's `overrides` on top. One that is unknown or no longer valid,
    /// left in the metadata by another release, is passed over: [`check`](Self::check) kept out
    /// what was wrong when it was set.
    #[must_use]
    pub fn with(&self, overrides: &Settings) -> Self {
        let mut config = self.clone();
        for (name, text) in overrides {
            if let Some(key) = table().topic(name) {
                // The error was told to whoever set it; here the default stays in force.
                let _ = config.set(key, text);
            }
        }
        config
    }

    /// Whether `text` can be set for `key`.
    ///
    /// # Errors
    /// Names the key, the value and what is allowed.
    pub fn check(key: &Key, text: &str) -> Result<(), WrongValue> {
        Self::zero().set(key, text)
    }

    fn set(&mut self, key: &Key, text: &str) -> Result<(), WrongValue> {
        let value = key.parse(text)?;
        match (key.name, value) {
            ("compression.gzip.level", Value::Int(level)) if level != 0 => self.gzip_level = level,
            ("compression.lz4.level", Value::Int(level)) => self.lz4_level = level,
            ("compression.zstd.level", Value::Int(level)) => self.zstd_level = level,
            ("compression.type", Value::String(name)) => {
                self.compression = match name.as_str() {
                    "uncompressed" => Compression::Uncompressed,
                    "gzip" => Compression::Gzip,
                    "snappy" => Compression::Snappy,
                    "lz4" => Compression::Lz4,
                    "zstd" => Compression::Zstd,
                    _ => Compression::Producer,
                };
            }
            ("file.delete.delay.ms", Value::Long(ms)) => self.file_delete_delay_ms = ms,
            ("flush.messages", Value::Long(count)) => self.flush_messages = count,
            ("flush.ms", Value::Long(ms)) => self.flush_ms = ms,
            ("flush.policy", Value::String(name)) => {
                self.flush_policy = match name.as_str() {
                    "interval" => FlushPolicy::Interval,
                    "os" => FlushPolicy::Os,
                    _ => FlushPolicy::Ack,
                };
            }
            ("index.interval.bytes", Value::Int(bytes)) => self.index_interval_bytes = bytes,
            ("max.message.bytes", Value::Int(bytes)) => self.max_message_bytes = bytes,
            ("message.timestamp.after.max.ms", Value::Long(ms)) => self.timestamp_after_max_ms = ms,
            ("message.timestamp.before.max.ms", Value::Long(ms)) => {
                self.timestamp_before_max_ms = ms;
            }
            ("message.timestamp.type", Value::String(name)) => {
                self.timestamp_type = match name.as_str() {
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => TimestampType::CreateTime,
                };
            }
            ("min.insync.replicas", Value::Int(count)) => self.min_insync_replicas = count,
            ("preallocate", Value::Boolean(flag)) => self.preallocate = flag,
            ("retention.bytes", Value::Long(bytes)) => self.retention_bytes = bytes,
            ("retention.ms", Value::Long(ms)) => self.retention_ms = ms,
            ("segment.bytes", Value::Int(bytes)) => self.segment_bytes = bytes,
            ("segment.index.bytes", Value::Int(bytes)) => self.segment_index_bytes = bytes,
            ("segment.jitter.ms", Value::Long(ms)) => self.segment_jitter_ms = ms,
            ("segment.ms", Value::Long(ms)) => self.segment_ms = ms,
            ("cleanup.policy", Value::List(policies)) => {
                self.compact = policies.iter().any(|policy| policy == "compact");
                self.delete = policies.iter().any(|policy| policy == "delete");
            }
            ("delete.retention.ms", Value::Long(ms)) => self.delete_retention_ms = ms,
            ("max.compaction.lag.ms", Value::Long(ms)) => self.max_compaction_lag_ms = ms,
            ("min.cleanable.dirty.ratio", Value::Double(ratio)) => self.min_dirty_ratio = ratio,
            ("min.compaction.lag.ms", Value::Long(ms)) => self.min_compaction_lag_ms = ms,
            _ if key.inert.is_some() => {}
            _ => return Err(key.wrong(text)),
        }
        Ok(())
    }

    /// What every topic setting is laid over; none of it is ever seen.
    const fn zero() -> Self {
        Self {
            compact: false,
            delete_retention_ms: 0,
            compression: Compression::Producer,
            gzip_level: -1,
            lz4_level: 0,
            zstd_level: 0,
            delete: true,
            file_delete_delay_ms: 0,
            flush_messages: 0,
            flush_ms: 0,
            flush_policy: FlushPolicy::Ack,
            index_interval_bytes: 0,
            max_compaction_lag_ms: i64::MAX,
            max_message_bytes: 0,
            min_compaction_lag_ms: 0,
            min_dirty_ratio: 0.0,
            min_insync_replicas: 1,
            preallocate: false,
            retention_bytes: -1,
            retention_ms: -1,
            segment_bytes: 0,
            segment_index_bytes: 0,
            segment_jitter_ms: 0,
            segment_ms: 0,
            timestamp_after_max_ms: 0,
            timestamp_before_max_ms: 0,
            timestamp_type: TimestampType::CreateTime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn with_file(pairs: &[(&str, &str)]) -> TopicConfig {
        let layers = Layers { file: settings(pairs), ..Layers::default() };
        TopicConfig::broker_default(&layers).unwrap()
    }

    #[test]
    fn without_settings_a_topic_is_as_in_kafka() {
        let config = with_file(&[]);
        assert_eq!(
            config,
            TopicConfig {
                compact: false,
                delete_retention_ms: 86_400_000,
                compression: Compression::Producer,
                gzip_level: -1,
                lz4_level: 9,
                zstd_level: 3,
                delete: true,
                file_delete_delay_ms: 60_000,
                flush_messages: i64::MAX,
                flush_ms: i64::MAX,
                flush_policy: FlushPolicy::Ack,
                index_interval_bytes: 4096,
                max_compaction_lag_ms: i64::MAX,
                max_message_bytes: 1_048_588,
                min_compaction_lag_ms: 0,
                min_dirty_ratio: 0.5,
                min_insync_replicas: 1,
                preallocate: false,
                retention_bytes: -1,
                retention_ms: 604_800_000,
                segment_bytes: 1 << 30,
                segment_index_bytes: 10 << 20,
                segment_jitter_ms: 0,
                segment_ms: 604_800_000,
                timestamp_after_max_ms: 3_600_000,
                timestamp_before_max_ms: i64::MAX,
                timestamp_type: TimestampType::CreateTime,
            }
        );
    }

    #[test]
    fn the_finest_unit_that_was_set_wins() {
        assert_eq!(with_file(&[("log.retention.hours", "1")]).retention_ms, 3_600_000);
        let both = [("log.retention.hours", "1"), ("log.retention.minutes", "2")];
        assert_eq!(with_file(&both).retention_ms, 120_000);
        let all = [both[0], both[1], ("log.retention.ms", "3")];
        assert_eq!(with_file(&all).retention_ms, 3);
        assert_eq!(with_file(&[("log.retention.hours", "-1")]).retention_ms, -1);
    }

    #[test]
    fn a_topics_own_setting_beats_the_brokers() {
        let broker = with_file(&[("log.retention.ms", "5"), ("log.flush.policy", "os")]);
        let topic = broker.with(&settings(&[("retention.ms", "7")]));
        assert_eq!(topic, TopicConfig { retention_ms: 7, ..broker });
    }

    #[test]
    fn an_override_that_is_no_longer_valid_leaves_the_default() {
        let broker = with_file(&[]);
        let odd = settings(&[("segment.bytes", "-1"), ("gone.with.the.wind", "1")]);
        assert_eq!(broker.with(&odd), broker);
    }

    #[test]
    fn every_setting_is_either_read_or_declared_inert() {
        for key in table().topic {
            let default = key.default.unwrap();
            assert_eq!(TopicConfig::check(key, default), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn tiers_are_refused_until_they_exist() {
        let key = table().topic("remote.storage.enable").unwrap();
        assert!(TopicConfig::check(key, "true").is_err());
    }

    #[test]
    fn a_log_may_be_cleaned_up_in_either_way_or_both() {
        for (text, compact, delete) in [
            ("delete", false, true),
            ("compact", true, false),
            ("compact,delete", true, true),
            ("delete, compact", true, true),
        ] {
            let config = with_file(&[]).with(&settings(&[("cleanup.policy", text)]));
            assert_eq!((config.compact, config.delete), (compact, delete), "{text}");
        }
        let key = table().topic("cleanup.policy").unwrap();
        for text in ["", "shred"] {
            assert!(TopicConfig::check(key, text).is_err(), "{text}");
        }
    }
}
