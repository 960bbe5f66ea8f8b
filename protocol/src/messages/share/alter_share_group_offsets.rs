//! AlterShareGroupOffsets, key 91.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 91, versions 0, flexible 0+,
    AlterShareGroupOffsetsRequest => AlterShareGroupOffsetsResponse;

    /// Sets from where a share group reads.
    struct AlterShareGroupOffsetsRequest {
        0+ group_id: Str,
        0+ topics: Vec<AlterShareGroupOffsetsRequestTopic>,
    }

    struct AlterShareGroupOffsetsRequestTopic {
        0+ topic_name: Str,
        0+ partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
    }

    struct AlterShareGroupOffsetsRequestPartition {
        0+ partition_index: i32,
        0+ start_offset: i64,
    }

    /// What became of each partition.
    struct AlterShareGroupOffsetsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ responses: Vec<AlterShareGroupOffsetsResponseTopic>,
    }

    struct AlterShareGroupOffsetsResponseTopic {
        0+ topic_name: Str,
        0+ topic_id: Uuid,
        0+ partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
    }

    struct AlterShareGroupOffsetsResponsePartition {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
