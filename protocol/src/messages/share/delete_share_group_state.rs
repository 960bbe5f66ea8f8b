//! DeleteShareGroupState, key 86.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 86, versions 0, flexible 0+, DeleteShareGroupStateRequest => DeleteShareGroupStateResponse;

    /// Forgets the stored state of share partitions.
    struct DeleteShareGroupStateRequest {
        0+ group_id: Str,
        0+ topics: Vec<DeleteStateData>,
    }

    struct DeleteStateData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition: i32,
    }

    /// What became of each partition.
    struct DeleteShareGroupStateResponse {
        0+ results: Vec<DeleteStateResult>,
    }

    struct DeleteStateResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
