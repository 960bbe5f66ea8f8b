//! TxnOffsetCommit, key 28.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 28, versions 0-6, flexible 3+, TxnOffsetCommitRequest => TxnOffsetCommitResponse;

    /// Stores how far a group has read, effective when the transaction commits.
    struct TxnOffsetCommitRequest {
        0+ transactional_id: Str,
        0+ group_id: Str,
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        3+ generation_id_or_member_epoch: i32 = -1,
        3+ member_id: Str,
        3+ group_instance_id: Option<Str>,
        0+ topics: Vec<TxnOffsetCommitRequestTopic>,
    }

    struct TxnOffsetCommitRequestTopic {
        0-5 name: Str,
        6+  topic_id: Uuid,
        0+  partitions: Vec<TxnOffsetCommitRequestPartition>,
    }

    struct TxnOffsetCommitRequestPartition {
        0+ partition_index: i32,
        0+ committed_offset: i64,
        2+ committed_leader_epoch: i32 = -1,
        0+ committed_metadata: Option<Str>,
    }

    /// What became of each partition's offset.
    struct TxnOffsetCommitResponse {
        0+ throttle_time_ms: i32,
        0+ topics: Vec<TxnOffsetCommitResponseTopic>,
    }

    struct TxnOffsetCommitResponseTopic {
        0-5 name: Str,
        6+  topic_id: Uuid,
        0+  partitions: Vec<TxnOffsetCommitResponsePartition>,
    }

    struct TxnOffsetCommitResponsePartition {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
