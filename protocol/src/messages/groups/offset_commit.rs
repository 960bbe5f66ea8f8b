//! OffsetCommit, key 8.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 8, versions 2-10, flexible 8+, OffsetCommitRequest => OffsetCommitResponse;

    /// Stores how far a group has read.
    struct OffsetCommitRequest {
        0+  group_id: Str,
        1+  generation_id_or_member_epoch: i32 = -1,
        1+  member_id: Str,
        7+  group_instance_id: Option<Str>,
        2-4 retention_time_ms: i64 = -1,
        0+  topics: Vec<OffsetCommitRequestTopic>,
    }

    struct OffsetCommitRequestTopic {
        0-9 name: Str,
        10+ topic_id: Uuid,
        0+  partitions: Vec<OffsetCommitRequestPartition>,
    }

    struct OffsetCommitRequestPartition {
        0+ partition_index: i32,
        0+ committed_offset: i64,
        6+ committed_leader_epoch: i32 = -1,
        0+ committed_metadata: Option<Str>,
    }

    /// What became of each partition's offset.
    struct OffsetCommitResponse {
        3+ throttle_time_ms: i32,
        0+ topics: Vec<OffsetCommitResponseTopic>,
    }

    struct OffsetCommitResponseTopic {
        0-9 name: Str,
        10+ topic_id: Uuid,
        0+  partitions: Vec<OffsetCommitResponsePartition>,
    }

    struct OffsetCommitResponsePartition {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
