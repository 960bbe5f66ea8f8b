//! OffsetDelete, key 47.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 47, versions 0, flexible none, OffsetDeleteRequest => OffsetDeleteResponse;

    /// Forgets committed offsets of a group.
    struct OffsetDeleteRequest {
        0+ group_id: Str,
        0+ topics: Vec<OffsetDeleteRequestTopic>,
    }

    struct OffsetDeleteRequestTopic {
        0+ name: Str,
        0+ partitions: Vec<OffsetDeleteRequestPartition>,
    }

    struct OffsetDeleteRequestPartition {
        0+ partition_index: i32,
    }

    /// What became of each partition's offset.
    struct OffsetDeleteResponse {
        0+ error_code: ErrorCode,
        0+ throttle_time_ms: i32,
        0+ topics: Vec<OffsetDeleteResponseTopic>,
    }

    struct OffsetDeleteResponseTopic {
        0+ name: Str,
        0+ partitions: Vec<OffsetDeleteResponsePartition>,
    }

    struct OffsetDeleteResponsePartition {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
