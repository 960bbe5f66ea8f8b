//! Settings of a topic.

use crate::config::{Key, Kind, Unit, Update, Valid};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "cleanup.policy",
        kind: Kind::List,
        default: Some("delete"),
        valid: Valid::OneOf(CLEANUP_POLICIES),
        synonyms: &[("log.cleanup.policy", Unit::Same)],
        doc: "What happens to old segments. `delete` removes them once they are past the retention \
              time or size; `compact` keeps of each key the last record; both may be given.",
        ..TOPIC
    },
    Key {
        name: "compression.gzip.level",
        kind: Kind::Int,
        default: Some("-1"),
        valid: Valid::Between(-1, 9),
        synonyms: &[("compression.gzip.level", Unit::Same)],
        doc: "How hard gzip tries when `compression.type` is `gzip`; -1 leaves it to the codec.",
        ..TOPIC
    },
    Key {
        name: "compression.lz4.level",
        kind: Kind::Int,
        default: Some("9"),
        valid: Valid::Between(1, 17),
        synonyms: &[("compression.lz4.level", Unit::Same)],
        doc: "How hard lz4 tries when `compression.type` is `lz4`. The codec here has one speed, \
              so every level gives the same result.",
        ..TOPIC
    },
    Key {
        name: "compression.type",
        kind: Kind::String,
        default: Some("producer"),
        valid: Valid::OneOf(COMPRESSION_TYPES),
        synonyms: &[("compression.type", Unit::Same)],
        doc: "The codec that batches are stored with. `producer` keeps what the producer chose and \
              costs nothing; any other value makes the broker compress anew what came otherwise.",
        ..TOPIC
    },
    Key {
        name: "compression.zstd.level",
        kind: Kind::Int,
        default: Some("3"),
        valid: Valid::Between(-131_072, 22),
        synonyms: &[("compression.zstd.level", Unit::Same)],
        doc: "How hard zstd tries when `compression.type` is `zstd`.",
        ..TOPIC
    },
    Key {
        name: "delete.retention.ms",
        kind: Kind::Long,
        default: Some("86400000"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.cleaner.delete.retention.ms", Unit::Same)],
        doc: "How long compaction keeps the record that deletes a key, from the first pass on that saw it.",
        ..TOPIC
    },
    Key {
        name: "file.delete.delay.ms",
        kind: Kind::Long,
        default: Some("60000"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.segment.delete.delay.ms", Unit::Same)],
        doc: "How long a segment that left the log stays on disk, for the readers that still have \
              it open.",
        ..TOPIC
    },
    Key {
        name: "flush.messages",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(1),
        synonyms: &[("log.flush.interval.messages", Unit::Same)],
        doc: "Under `flush.policy=interval`, the number of records after which the log is synced \
              to disk without waiting for `flush.ms`.",
        ..TOPIC
    },
    Key {
        name: "flush.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(0),
        synonyms: &[
            ("log.flush.interval.ms", Unit::Same),
            ("log.flush.scheduler.interval.ms", Unit::Same),
        ],
        doc: "Under `flush.policy=interval`, the longest time that an appended record waits to be \
              synced to disk.",
        ..TOPIC
    },
    Key {
        name: "flush.policy",
        kind: Kind::String,
        default: Some("ack"),
        valid: Valid::OneOf(FLUSH_POLICIES),
        synonyms: &[("log.flush.policy", Unit::Same)],
        doc: "When records are synced to disk. `ack`: before `acks=all` is answered, many requests \
              sharing one sync. `interval`: every `flush.ms` or `flush.messages`. `os`: when the \
              operating system chooses. Only `ack` keeps every acknowledged record through a loss \
              of power. Not one of Kafka's settings.",
        ..TOPIC
    },
    Key {
        name: "follower.replication.throttled.replicas",
        kind: Kind::List,
        default: Some(""),
        inert: NEEDS_REPLICATION,
        doc: "Replicas whose fetching from the leader is slowed while data moves between brokers.",
        ..TOPIC
    },
    Key {
        name: "index.interval.bytes",
        kind: Kind::Int,
        default: Some("4096"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.index.interval.bytes", Unit::Same)],
        doc: "Bytes of log between two entries of the offset index. Less makes lookups read less \
              and the index larger.",
        ..TOPIC
    },
    Key {
        name: "leader.replication.throttled.replicas",
        kind: Kind::List,
        default: Some(""),
        inert: NEEDS_REPLICATION,
        doc: "Replicas whose serving of followers is slowed while data moves between brokers.",
        ..TOPIC
    },
    Key {
        name: "local.retention.bytes",
        kind: Kind::Long,
        default: Some("-2"),
        valid: Valid::AtLeast(-2),
        inert: NEEDS_TIERS,
        doc: "Bytes to keep on the broker's own disk when older segments are kept elsewhere.",
        ..TOPIC
    },
    Key {
        name: "local.retention.ms",
        kind: Kind::Long,
        default: Some("-2"),
        valid: Valid::AtLeast(-2),
        inert: NEEDS_TIERS,
        doc: "Time to keep on the broker's own disk when older segments are kept elsewhere.",
        ..TOPIC
    },
    Key {
        name: "max.compaction.lag.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(1),
        synonyms: &[("log.cleaner.max.compaction.lag.ms", Unit::Same)],
        doc: "The longest time that a record may stay uncompacted. The active segment ends that early, \
              too.",
        ..TOPIC
    },
    Key {
        name: "max.message.bytes",
        kind: Kind::Int,
        default: Some("1048588"),
        valid: Valid::AtLeast(0),
        synonyms: &[("message.max.bytes", Unit::Same)],
        doc: "The largest record batch, as it is stored, that the topic accepts.",
        ..TOPIC
    },
    Key {
        name: "message.timestamp.after.max.ms",
        kind: Kind::Long,
        default: Some("3600000"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.message.timestamp.after.max.ms", Unit::Same)],
        doc: "How far ahead of the broker's clock a record's timestamp may be, under \
              `message.timestamp.type=CreateTime`.",
        ..TOPIC
    },
    Key {
        name: "message.timestamp.before.max.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.message.timestamp.before.max.ms", Unit::Same)],
        doc: "How far behind the broker's clock a record's timestamp may be, under \
              `message.timestamp.type=CreateTime`.",
        ..TOPIC
    },
    Key {
        name: "message.timestamp.type",
        kind: Kind::String,
        default: Some("CreateTime"),
        valid: Valid::OneOf(TIMESTAMP_TYPES),
        synonyms: &[("log.message.timestamp.type", Unit::Same)],
        doc: "Whose time a record carries: the producer's (`CreateTime`) or the broker's at the \
              append (`LogAppendTime`).",
        ..TOPIC
    },
    Key {
        name: "min.cleanable.dirty.ratio",
        kind: Kind::Double,
        default: Some("0.5"),
        valid: Valid::Fraction,
        synonyms: &[("log.cleaner.min.cleanable.ratio", Unit::Same)],
        doc: "The share of a log's bytes that must be uncompacted before it is compacted.",
        ..TOPIC
    },
    Key {
        name: "min.compaction.lag.ms",
        kind: Kind::Long,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.cleaner.min.compaction.lag.ms", Unit::Same)],
        doc: "The shortest time that a record stays uncompacted.",
        ..TOPIC
    },
    Key {
        name: "min.insync.replicas",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::AtLeast(1),
        synonyms: &[("min.insync.replicas", Unit::Same)],
        doc: "How many replicas must be in sync for a produce with `acks=all` to be accepted.",
        ..TOPIC
    },
    Key {
        name: "preallocate",
        kind: Kind::Boolean,
        default: Some("false"),
        synonyms: &[("log.preallocate", Unit::Same)],
        doc: "Whether a new segment's blocks are reserved on disk when it is created.",
        ..TOPIC
    },
    Key {
        name: "remote.log.copy.disable",
        kind: Kind::Boolean,
        default: Some("false"),
        inert: NEEDS_TIERS,
        doc: "Whether segments stop moving to remote storage.",
        ..TOPIC
    },
    Key {
        name: "remote.log.delete.on.disable",
        kind: Kind::Boolean,
        default: Some("false"),
        inert: NEEDS_TIERS,
        doc: "Whether what is in remote storage is deleted when that is switched off.",
        ..TOPIC
    },
    Key {
        name: "remote.storage.enable",
        kind: Kind::Boolean,
        default: Some("false"),
        valid: Valid::OneOf(&["false"]),
        inert: NEEDS_TIERS,
        doc: "Whether old segments move to remote storage.",
        ..TOPIC
    },
    Key {
        name: "retention.bytes",
        kind: Kind::Long,
        default: Some("-1"),
        synonyms: &[("log.retention.bytes", Unit::Same)],
        doc: "The size of each partition above which its oldest segments are deleted; -1 is \
              without limit.",
        ..TOPIC
    },
    Key {
        name: "retention.ms",
        kind: Kind::Long,
        default: Some("604800000"),
        valid: Valid::AtLeast(-1),
        synonyms: &[
            ("log.retention.ms", Unit::Same),
            ("log.retention.minutes", Unit::Minutes),
            ("log.retention.hours", Unit::Hours),
        ],
        doc: "The age of its newest record after which a segment is deleted; -1 is without limit.",
        ..TOPIC
    },
    Key {
        name: "segment.bytes",
        kind: Kind::Int,
        default: Some("1073741824"),
        valid: Valid::AtLeast(SEGMENT_BYTES_MIN),
        synonyms: &[("log.segment.bytes", Unit::Same)],
        doc: "The size at which a segment is closed and a new one begun. Retention works on closed \
              segments.",
        ..TOPIC
    },
    Key {
        name: "segment.index.bytes",
        kind: Kind::Int,
        default: Some("10485760"),
        valid: Valid::AtLeast(4),
        synonyms: &[("log.index.size.max.bytes", Unit::Same)],
        doc: "The size of an offset index at which its segment is closed even if it is not full.",
        ..TOPIC
    },
    Key {
        name: "segment.jitter.ms",
        kind: Kind::Long,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        synonyms: &[("log.roll.jitter.ms", Unit::Same), ("log.roll.jitter.hours", Unit::Hours)],
        doc: "At most how much earlier than `segment.ms` a segment is closed, chosen by chance, so \
              that not all partitions roll at once.",
        ..TOPIC
    },
    Key {
        name: "segment.ms",
        kind: Kind::Long,
        default: Some("604800000"),
        valid: Valid::AtLeast(1),
        synonyms: &[("log.roll.ms", Unit::Same), ("log.roll.hours", Unit::Hours)],
        doc: "The age at which a segment is closed even if it is not full.",
        ..TOPIC
    },
    Key {
        name: "unclean.leader.election.enable",
        kind: Kind::Boolean,
        default: Some("false"),
        inert: NEEDS_REPLICATION,
        doc: "Whether a replica that is not in sync may lead when no other is left, at the price \
              of losing records.",
        ..TOPIC
    },
];

pub(super) const CLEANUP_POLICIES: &[&str] = &["delete", "compact"];
pub(super) const COMPRESSION_TYPES: &[&str] =
    &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
pub(super) const FLUSH_POLICIES: &[&str] = &["ack", "interval", "os"];
pub(super) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
/// Room for one empty batch and little more: small segments are for tests and demonstrations.
pub(super) const SEGMENT_BYTES_MIN: i64 = 1024;

const NEEDS_REPLICATION: Option<&str> = Some("replication between brokers");
const NEEDS_TIERS: Option<&str> = Some("tiered storage");

/// What most settings of a topic share.
const TOPIC: Key = Key {
    name: "",
    kind: Kind::String,
    default: None,
    valid: Valid::Any,
    update: Update::ClusterWide,
    synonyms: &[],
    inert: None,
    doc: "",
};
