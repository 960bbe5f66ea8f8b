//! ListOffsets, key 2.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 2, versions 1-11, flexible 6+, ListOffsetsRequest => ListOffsetsResponse;

    /// Finds the offset of a timestamp, or of one end of a partition.
    struct ListOffsetsRequest {
        0+  replica_id: i32,
        2+  isolation_level: i8,
        0+  topics: Vec<ListOffsetsTopic>,
        10+ timeout_ms: i32,
    }

    struct ListOffsetsTopic {
        0+ name: Str,
        0+ partitions: Vec<ListOffsetsPartition>,
    }

    struct ListOffsetsPartition {
        0+ partition_index: i32,
        4+ current_leader_epoch: i32 = -1,
        0+ timestamp: i64,
    }

    /// The offset found in each partition.
    struct ListOffsetsResponse {
        2+ throttle_time_ms: i32,
        0+ topics: Vec<ListOffsetsTopicResponse>,
    }

    struct ListOffsetsTopicResponse {
        0+ name: Str,
        0+ partitions: Vec<ListOffsetsPartitionResponse>,
    }

    struct ListOffsetsPartitionResponse {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        1+ timestamp: i64 = -1,
        1+ offset: i64 = -1,
        4+ leader_epoch: i32 = -1,
    }
}
