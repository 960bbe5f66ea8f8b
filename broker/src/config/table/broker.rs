//! Settings of a broker.

use super::topic::{
    CLEANUP_POLICIES, COMPRESSION_TYPES, FLUSH_POLICIES, SEGMENT_BYTES_MIN, TIMESTAMP_TYPES,
};
use crate::config::{Key, Kind, Unit, Update, Valid};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "advertised.listeners",
        kind: Kind::List,
        doc: "The addresses that clients are told to connect to, one per listener. Without it \
              each client is told the address that it dialled.",
        ..STATIC
    },
    Key {
        name: "auto.create.topics.enable",
        kind: Kind::Boolean,
        default: Some("true"),
        doc: "Whether asking for the metadata of a topic that does not exist creates it, where the \
              client allows that.",
        ..STATIC
    },
    Key {
        name: "broker.id",
        kind: Kind::Int,
        valid: Valid::AtLeast(0),
        doc: "The older name of `node.id`.",
        ..STATIC
    },
    Key {
        name: "broker.rack",
        kind: Kind::String,
        valid: Valid::NotEmpty,
        doc: "The rack or zone that this broker is in, as shown to clients.",
        ..STATIC
    },
    Key {
        name: "compression.gzip.level",
        kind: Kind::Int,
        default: Some("-1"),
        valid: Valid::Between(-1, 9),
        doc: "Default of the topic setting of the same name.",
        ..DYNAMIC
    },
    Key {
        name: "compression.lz4.level",
        kind: Kind::Int,
        default: Some("9"),
        valid: Valid::Between(1, 17),
        doc: "Default of the topic setting of the same name.",
        ..DYNAMIC
    },
    Key {
        name: "compression.type",
        kind: Kind::String,
        default: Some("producer"),
        valid: Valid::OneOf(COMPRESSION_TYPES),
        doc: "Default of the topic setting of the same name.",
        ..DYNAMIC
    },
    Key {
        name: "compression.zstd.level",
        kind: Kind::Int,
        default: Some("3"),
        valid: Valid::Between(-131_072, 22),
        doc: "Default of the topic setting of the same name.",
        ..DYNAMIC
    },
    Key {
        name: "connections.max.idle.ms",
        kind: Kind::Long,
        default: Some("600000"),
        doc: "How long a connection may be silent before it is closed; below zero is for ever.",
        ..STATIC
    },
    Key {
        name: "controller.listener.names",
        kind: Kind::List,
        default: Some(""),
        doc: "Listeners of `listeners` that Kafka would use between controllers. They are not \
              opened: one node needs none.",
        ..STATIC
    },
    Key {
        name: "default.replication.factor",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::AtLeast(1),
        doc: "Replicas of a topic that is created without a number of its own.",
        ..STATIC
    },
    Key {
        name: "delete.topic.enable",
        kind: Kind::Boolean,
        default: Some("true"),
        doc: "Whether topics can be deleted.",
        ..STATIC
    },
    Key {
        name: "fetch.max.bytes",
        kind: Kind::Int,
        default: Some("57671680"),
        valid: Valid::AtLeast(1024),
        doc: "The most that one fetch is answered with, whatever the client asks for.",
        ..STATIC
    },
    Key {
        name: "group.consumer.assignment.interval.ms",
        kind: Kind::Int,
        default: Some("1000"),
        valid: Valid::AtLeast(0),
        doc: "How long at least lies between two computations of the assignment of a consumer group that \
              has more than one member.",
        ..STATIC
    },
    Key {
        name: "group.consumer.assignors",
        kind: Kind::List,
        default: Some("uniform,range"),
        valid: Valid::OneOf(ASSIGNORS),
        doc: "The assignors that members of consumer groups may ask for. The first is that of groups \
              whose members do not ask.",
        ..STATIC
    },
    Key {
        name: "group.consumer.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Some("5000"),
        valid: Valid::AtLeast(1),
        doc: "How often members of consumer groups are told to send heartbeats.",
        ..STATIC
    },
    Key {
        name: "group.consumer.max.assignment.interval.ms",
        kind: Kind::Int,
        default: Some("15000"),
        valid: Valid::AtLeast(0),
        doc: "The most that a group's `consumer.assignment.interval.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.max.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Some("15000"),
        valid: Valid::AtLeast(1),
        doc: "The most that a group's `consumer.heartbeat.interval.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.max.session.timeout.ms",
        kind: Kind::Int,
        default: Some("60000"),
        valid: Valid::AtLeast(1),
        doc: "The most that a group's `consumer.session.timeout.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.max.size",
        kind: Kind::Int,
        default: Some("2147483647"),
        valid: Valid::AtLeast(1),
        doc: "How many members a consumer group may have.",
        ..STATIC
    },
    Key {
        name: "group.consumer.migration.policy",
        kind: Kind::String,
        default: Some("bidirectional"),
        valid: Valid::OneOf(MIGRATION_POLICIES),
        doc: "Whether a group whose members change their protocol changes with them: `upgrade` from \
              classic to consumer, `downgrade` back, both (`bidirectional`), or neither (`disabled`).",
        ..STATIC
    },
    Key {
        name: "group.consumer.min.assignment.interval.ms",
        kind: Kind::Int,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        doc: "The least that a group's `consumer.assignment.interval.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.min.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Some("5000"),
        valid: Valid::AtLeast(1),
        doc: "The least that a group's `consumer.heartbeat.interval.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.min.session.timeout.ms",
        kind: Kind::Int,
        default: Some("45000"),
        valid: Valid::AtLeast(1),
        doc: "The least that a group's `consumer.session.timeout.ms` may be set to.",
        ..STATIC
    },
    Key {
        name: "group.consumer.session.timeout.ms",
        kind: Kind::Int,
        default: Some("45000"),
        valid: Valid::AtLeast(1),
        doc: "How long a member of a consumer group may be silent before it counts as gone.",
        ..STATIC
    },
    Key {
        name: "group.coordinator.rebalance.protocols",
        kind: Kind::List,
        default: Some("classic,consumer"),
        valid: Valid::OneOf(PROTOCOLS),
        doc: "The protocols that groups may speak; `classic` cannot be switched off.",
        ..STATIC
    },
    Key {
        name: "group.initial.rebalance.delay.ms",
        kind: Kind::Int,
        default: Some("3000"),
        valid: Valid::AtLeast(0),
        doc: "How long a group that was empty waits for more members than the first before \
              it assigns work.",
        ..STATIC
    },
    Key {
        name: "group.max.session.timeout.ms",
        kind: Kind::Int,
        default: Some("1800000"),
        valid: Valid::AtLeast(1),
        doc: "The longest session time-out that a member of a classic group may ask for.",
        ..STATIC
    },
    Key {
        name: "group.max.size",
        kind: Kind::Int,
        default: Some("2147483647"),
        valid: Valid::AtLeast(1),
        doc: "How many members a group may have.",
        ..STATIC
    },
    Key {
        name: "group.min.session.timeout.ms",
        kind: Kind::Int,
        default: Some("6000"),
        valid: Valid::AtLeast(1),
        doc: "The shortest session time-out that a member of a classic group may ask for.",
        ..STATIC
    },
    Key {
        name: "listener.security.protocol.map",
        kind: Kind::List,
        default: Some("PLAINTEXT:PLAINTEXT"),
        doc: "The security protocol of each listener name, as `NAME:PROTOCOL`. PLAINTEXT is the \
              only protocol yet.",
        ..STATIC
    },
    Key {
        name: "listeners",
        kind: Kind::List,
        default: Some("PLAINTEXT://127.0.0.1:9092"),
        valid: Valid::NotEmpty,
        doc: "The addresses to listen on, as `NAME://host:port`. An empty host is every address of \
              the machine, port 0 any free one.",
        ..STATIC
    },
    Key {
        name: "log.cleaner.backoff.ms",
        kind: Kind::Long,
        default: Some("15000"),
        valid: Valid::AtLeast(0),
        doc: "How long compaction sleeps when no log is dirty enough.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.dedupe.buffer.size",
        kind: Kind::Long,
        default: Some("134217728"),
        valid: Valid::AtLeast(0),
        doc: "The most memory that compaction takes for keys, at 24 bytes for each; only what a log \
              needs is taken. A log with more keys is compacted in several passes.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.delete.retention.ms",
        kind: Kind::Long,
        default: Some("86400000"),
        valid: Valid::AtLeast(0),
        doc: "Default of `delete.retention.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.enable",
        kind: Kind::Boolean,
        default: Some("true"),
        doc: "Whether topics with `cleanup.policy=compact` are compacted.",
        ..STATIC
    },
    Key {
        name: "log.cleaner.io.max.bytes.per.second",
        kind: Kind::Double,
        default: Some("1.7976931348623157E308"),
        doc: "How fast compaction may read and write, together.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.max.compaction.lag.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(1),
        doc: "Default of `max.compaction.lag.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.min.cleanable.ratio",
        kind: Kind::Double,
        default: Some("0.5"),
        valid: Valid::Fraction,
        doc: "Default of `min.cleanable.dirty.ratio`.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleaner.min.compaction.lag.ms",
        kind: Kind::Long,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        doc: "Default of `min.compaction.lag.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.cleanup.policy",
        kind: Kind::List,
        default: Some("delete"),
        valid: Valid::OneOf(CLEANUP_POLICIES),
        doc: "Default of `cleanup.policy`.",
        ..DYNAMIC
    },
    Key {
        name: "log.dir",
        kind: Kind::String,
        default: Some("milena-data"),
        valid: Valid::NotEmpty,
        doc: "The data directory, if `log.dirs` is not set.",
        ..STATIC
    },
    Key {
        name: "log.dirs",
        kind: Kind::List,
        valid: Valid::NotEmpty,
        doc: "The data directories. Metadata lives in the first one.",
        ..STATIC
    },
    Key {
        name: "log.flush.interval.messages",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(1),
        doc: "Default of `flush.messages`.",
        ..DYNAMIC
    },
    Key {
        name: "log.flush.interval.ms",
        kind: Kind::Long,
        valid: Valid::AtLeast(0),
        synonyms: &[
            ("log.flush.interval.ms", Unit::Same),
            ("log.flush.scheduler.interval.ms", Unit::Same),
        ],
        doc: "Default of `flush.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.flush.offset.checkpoint.interval.ms",
        kind: Kind::Int,
        default: Some("60000"),
        valid: Valid::AtLeast(0),
        doc: "How often the recovery points are written down. After a crash, what lies past them is \
              read again and checked.",
        ..STATIC
    },
    Key {
        name: "log.flush.policy",
        kind: Kind::String,
        default: Some("ack"),
        valid: Valid::OneOf(FLUSH_POLICIES),
        doc: "Default of `flush.policy`. Not one of Kafka's settings.",
        ..DYNAMIC
    },
    Key {
        name: "log.flush.scheduler.interval.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(0),
        doc: "Default of `flush.ms`, if `log.flush.interval.ms` is not set.",
        ..STATIC
    },
    Key {
        name: "log.index.interval.bytes",
        kind: Kind::Int,
        default: Some("4096"),
        valid: Valid::AtLeast(0),
        doc: "Default of `index.interval.bytes`.",
        ..DYNAMIC
    },
    Key {
        name: "log.index.size.max.bytes",
        kind: Kind::Int,
        default: Some("10485760"),
        valid: Valid::AtLeast(4),
        doc: "Default of `segment.index.bytes`.",
        ..DYNAMIC
    },
    Key {
        name: "log.message.timestamp.after.max.ms",
        kind: Kind::Long,
        default: Some("3600000"),
        valid: Valid::AtLeast(0),
        doc: "Default of `message.timestamp.after.max.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.message.timestamp.before.max.ms",
        kind: Kind::Long,
        default: Some("9223372036854775807"),
        valid: Valid::AtLeast(0),
        doc: "Default of `message.timestamp.before.max.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.message.timestamp.type",
        kind: Kind::String,
        default: Some("CreateTime"),
        valid: Valid::OneOf(TIMESTAMP_TYPES),
        doc: "Default of `message.timestamp.type`.",
        ..DYNAMIC
    },
    Key {
        name: "log.preallocate",
        kind: Kind::Boolean,
        default: Some("false"),
        doc: "Default of `preallocate`.",
        ..DYNAMIC
    },
    Key {
        name: "log.retention.bytes",
        kind: Kind::Long,
        default: Some("-1"),
        doc: "Default of `retention.bytes`.",
        ..DYNAMIC
    },
    Key {
        name: "log.retention.check.interval.ms",
        kind: Kind::Long,
        default: Some("300000"),
        valid: Valid::AtLeast(1),
        doc: "How often logs are looked at for segments past their retention.",
        ..STATIC
    },
    Key {
        name: "log.retention.hours",
        kind: Kind::Int,
        default: Some("168"),
        valid: Valid::AtLeast(-1),
        synonyms: RETENTION,
        doc: "Default of `retention.ms`, in hours, if neither minutes nor milliseconds are set.",
        ..STATIC
    },
    Key {
        name: "log.retention.minutes",
        kind: Kind::Int,
        valid: Valid::AtLeast(-1),
        synonyms: RETENTION,
        doc: "Default of `retention.ms`, in minutes, if milliseconds are not set.",
        ..STATIC
    },
    Key {
        name: "log.retention.ms",
        kind: Kind::Long,
        valid: Valid::AtLeast(-1),
        synonyms: RETENTION,
        doc: "Default of `retention.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.roll.hours",
        kind: Kind::Int,
        default: Some("168"),
        valid: Valid::AtLeast(1),
        synonyms: ROLL,
        doc: "Default of `segment.ms`, in hours, if milliseconds are not set.",
        ..STATIC
    },
    Key {
        name: "log.roll.jitter.hours",
        kind: Kind::Int,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        synonyms: ROLL_JITTER,
        doc: "Default of `segment.jitter.ms`, in hours, if milliseconds are not set.",
        ..STATIC
    },
    Key {
        name: "log.roll.jitter.ms",
        kind: Kind::Long,
        valid: Valid::AtLeast(0),
        synonyms: ROLL_JITTER,
        doc: "Default of `segment.jitter.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.roll.ms",
        kind: Kind::Long,
        valid: Valid::AtLeast(1),
        synonyms: ROLL,
        doc: "Default of `segment.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "log.segment.bytes",
        kind: Kind::Int,
        default: Some("1073741824"),
        valid: Valid::AtLeast(SEGMENT_BYTES_MIN),
        doc: "Default of `segment.bytes`.",
        ..DYNAMIC
    },
    Key {
        name: "log.segment.delete.delay.ms",
        kind: Kind::Long,
        default: Some("60000"),
        valid: Valid::AtLeast(0),
        doc: "Default of `file.delete.delay.ms`.",
        ..DYNAMIC
    },
    Key {
        name: "max.connections",
        kind: Kind::Int,
        default: Some("2147483647"),
        valid: Valid::AtLeast(1),
        doc: "Connections at a time. The operating system's limit on open files bounds it, too.",
        ..STATIC
    },
    Key {
        name: "max.connections.per.ip",
        kind: Kind::Int,
        default: Some("2147483647"),
        valid: Valid::AtLeast(1),
        doc: "Connections at a time from one address.",
        ..STATIC
    },
    Key {
        name: "max.incremental.fetch.session.cache.slots",
        kind: Kind::Int,
        default: Some("1000"),
        valid: Valid::AtLeast(0),
        doc: "Incremental fetch sessions that are remembered. Clients beyond that send all their \
              partitions with each fetch.",
        ..STATIC
    },
    Key {
        name: "message.max.bytes",
        kind: Kind::Int,
        default: Some("1048588"),
        valid: Valid::AtLeast(0),
        doc: "Default of `max.message.bytes`.",
        ..DYNAMIC
    },
    Key {
        name: "metadata.log.max.record.bytes.between.snapshots",
        kind: Kind::Long,
        default: Some("20971520"),
        valid: Valid::AtLeast(1),
        doc: "After so many bytes in the metadata log a snapshot of it is taken, and what older \
              snapshots hold goes from the log.",
        ..STATIC
    },
    Key {
        name: "metadata.log.max.snapshot.interval.ms",
        kind: Kind::Long,
        default: Some("3600000"),
        valid: Valid::AtLeast(0),
        doc: "A snapshot of the metadata log is taken after that time at the latest, if there is \
              anything new in it; 0: only after so many bytes.",
        ..STATIC
    },
    Key {
        name: "min.insync.replicas",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::AtLeast(1),
        doc: "Default of the topic setting of the same name.",
        ..DYNAMIC
    },
    Key {
        name: "node.id",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::AtLeast(0),
        doc: "The number of this broker in its cluster.",
        ..STATIC
    },
    Key {
        name: "num.network.threads",
        kind: Kind::Int,
        default: Some("0"),
        valid: Valid::AtLeast(0),
        doc: "Threads that serve connections; 0 is one per processor core.",
        ..STATIC
    },
    Key {
        name: "num.partitions",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::AtLeast(1),
        doc: "Partitions of a topic that is created without a number of its own.",
        ..STATIC
    },
    Key {
        name: "num.recovery.threads.per.data.dir",
        kind: Kind::Int,
        // More than Kafka's 2: after a crash most of a start is waiting for syncs, side by side.
        default: Some("8"),
        valid: Valid::AtLeast(1),
        doc: "Threads that open and check the logs of a data directory at start.",
        ..STATIC
    },
    Key {
        name: "offset.metadata.max.bytes",
        kind: Kind::Int,
        default: Some("4096"),
        valid: Valid::AtLeast(0),
        doc: "How long the text may be that is committed with an offset.",
        ..STATIC
    },
    Key {
        name: "offsets.commit.timeout.ms",
        kind: Kind::Int,
        default: Some("5000"),
        valid: Valid::AtLeast(1),
        doc: "How long a request to a group waits for its records to be committed.",
        ..STATIC
    },
    Key {
        name: "offsets.retention.check.interval.ms",
        kind: Kind::Long,
        default: Some("600000"),
        valid: Valid::AtLeast(1),
        doc: "How often committed offsets are looked through for those that are past their \
              retention.",
        ..STATIC
    },
    Key {
        name: "offsets.retention.minutes",
        kind: Kind::Int,
        default: Some("10080"),
        valid: Valid::AtLeast(1),
        doc: "How long a committed offset is kept after the last member left its group, or \
              after the commit if nobody of the group reads the topic.",
        ..STATIC
    },
    Key {
        name: "offsets.topic.num.partitions",
        kind: Kind::Int,
        default: Some("50"),
        valid: Valid::AtLeast(1),
        doc: "Partitions of `__consumer_offsets`, when it is created.",
        ..STATIC
    },
    Key {
        name: "offsets.topic.replication.factor",
        kind: Kind::Int,
        default: Some("3"),
        valid: Valid::AtLeast(1),
        doc: "Replicas of `__consumer_offsets`, when it is created; no more than there are \
              brokers.",
        ..STATIC
    },
    Key {
        name: "producer.id.expiration.ms",
        kind: Kind::Int,
        default: Some("86400000"),
        valid: Valid::AtLeast(1),
        doc: "How long a partition remembers an idempotent producer that writes nothing.",
        ..STATIC
    },
    Key {
        name: "queued.max.request.bytes",
        kind: Kind::Long,
        default: Some("268435456"),
        doc: "Memory for all requests that are in flight. While it is used up no more is read from \
              any connection; below zero is without limit.",
        ..STATIC
    },
    Key {
        name: "socket.receive.buffer.bytes",
        kind: Kind::Int,
        default: Some("-1"),
        valid: Valid::AtLeast(-1),
        doc: "The receive buffer of each connection; -1 leaves it to the operating system.",
        ..STATIC
    },
    Key {
        name: "socket.request.max.bytes",
        kind: Kind::Int,
        default: Some("104857600"),
        valid: Valid::AtLeast(1),
        doc: "The largest request. A connection that announces a larger one is closed.",
        ..STATIC
    },
    Key {
        name: "socket.send.buffer.bytes",
        kind: Kind::Int,
        default: Some("163840"),
        valid: Valid::AtLeast(-1),
        doc: "The send buffer of each connection; -1 leaves it to the operating system, which \
              gives a connection several MB. Records that wait in a buffer for a reader on the same \
              machine cost up to three times as much as those that are sent when it has room.",
        ..STATIC
    },
    Key {
        name: "transaction.max.timeout.ms",
        kind: Kind::Int,
        default: Some("900000"),
        valid: Valid::AtLeast(1),
        doc: "The longest time that a producer may ask for before a transaction that it leaves \
              open is aborted.",
        ..STATIC
    },
    Key {
        name: "transaction.partition.verification.enable",
        kind: Kind::Boolean,
        default: Some("true"),
        doc: "A partition takes the first batch of a transaction only once the transaction's \
              coordinator has said that it is open (KIP-890).",
        ..DYNAMIC
    },
    Key {
        name: "transaction.remove.expired.transaction.cleanup.interval.ms",
        kind: Kind::Int,
        default: Some("3600000"),
        valid: Valid::AtLeast(1),
        doc: "How often transactional ids are looked through for expired ones.",
        ..STATIC
    },
    Key {
        name: "transaction.state.log.min.isr",
        kind: Kind::Int,
        default: Some("2"),
        valid: Valid::AtLeast(1),
        doc: "`min.insync.replicas` of `__transaction_state`, when it is created; no more than \
              there are brokers.",
        ..STATIC
    },
    Key {
        name: "transaction.state.log.num.partitions",
        kind: Kind::Int,
        default: Some("50"),
        valid: Valid::AtLeast(1),
        doc: "Partitions of `__transaction_state`, when it is created.",
        ..STATIC
    },
    Key {
        name: "transaction.state.log.replication.factor",
        kind: Kind::Int,
        default: Some("3"),
        valid: Valid::AtLeast(1),
        doc: "Replicas of `__transaction_state`, when it is created; no more than there are \
              brokers.",
        ..STATIC
    },
    Key {
        name: "transaction.state.log.segment.bytes",
        kind: Kind::Int,
        default: Some("104857600"),
        valid: Valid::AtLeast(SEGMENT_BYTES_MIN),
        doc: "`segment.bytes` of `__transaction_state`, when it is created.",
        ..STATIC
    },
    Key {
        name: "transaction.two.phase.commit.enable",
        kind: Kind::Boolean,
        default: Some("false"),
        doc: "Producers may have transactions that another system decides about (KIP-939), which \
              are never aborted for their age. They ask in a version of InitProducerId that needs \
              `unstable.api.versions.enable`.",
        ..STATIC
    },
    Key {
        name: "transactional.id.expiration.ms",
        kind: Kind::Int,
        default: Some("604800000"),
        valid: Valid::AtLeast(1),
        doc: "How long a transactional id is remembered that nobody uses.",
        ..STATIC
    },
    Key {
        name: "unstable.api.versions.enable",
        kind: Kind::Boolean,
        default: Some("false"),
        doc: "Versions of requests that Kafka may still change are served and advertised: at \
              present InitProducerId v6, for two-phase commit (KIP-939).",
        ..STATIC
    },
];

const RETENTION: &[(&str, Unit)] = &[
    ("log.retention.ms", Unit::Same),
    ("log.retention.minutes", Unit::Minutes),
    ("log.retention.hours", Unit::Hours),
];
const ROLL: &[(&str, Unit)] = &[("log.roll.ms", Unit::Same), ("log.roll.hours", Unit::Hours)];
const ROLL_JITTER: &[(&str, Unit)] =
    &[("log.roll.jitter.ms", Unit::Same), ("log.roll.jitter.hours", Unit::Hours)];

/// Read once, at start.
const STATIC: Key = Key {
    name: "",
    kind: Kind::String,
    default: None,
    valid: Valid::Any,
    update: Update::ReadOnly,
    synonyms: &[],
    inert: None,
    doc: "",
};

/// Can be changed while the broker runs.
const DYNAMIC: Key = Key { update: Update::ClusterWide, ..STATIC };
const ASSIGNORS: &[&str] = &["uniform", "range"];
const MIGRATION_POLICIES: &[&str] = &["bidirectional", "upgrade", "downgrade", "disabled"];
const PROTOCOLS: &[&str] = &["classic", "consumer"];
