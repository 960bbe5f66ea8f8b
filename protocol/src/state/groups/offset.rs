//! Committed offsets.

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 0, versions 0, flexible none, LegacyOffsetCommitKey;

    /// Names a committed offset, as Kafka before 0.9 did.
    struct LegacyOffsetCommitKey {
        0+ group: Str,
        0+ topic: Str,
        0+ partition: i32,
    }
}

record! {
    id 0, versions 0, flexible none, LegacyOffsetCommitValue;

    /// A committed offset, as Kafka before 0.9 stored it.
    struct LegacyOffsetCommitValue {
        0+ offset: i64,
        0+ metadata: Str,
        0+ commit_timestamp: i64,
    }
}

record! {
    id 1, versions 0, flexible none, OffsetCommitKey;

    /// Names a committed offset by group, topic and partition.
    struct OffsetCommitKey {
        0+ group: Str,
        0+ topic: Str,
        0+ partition: i32,
    }
}

record! {
    id 1, versions 0-4, flexible 4+, OffsetCommitValue;

    /// How far a group has read a partition.
    struct OffsetCommitValue {
        0+  offset: i64,
        3+  leader_epoch: i32 = -1,
        0+  metadata: Str,
        0+  commit_timestamp: i64,
        1-1 expire_timestamp: i64 = -1,
    } tagged {
        0 => 4+ topic_id: Uuid,
    }
}
