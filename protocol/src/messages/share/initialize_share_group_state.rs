//! InitializeShareGroupState, key 83.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 83, versions 0, flexible 0+,
    InitializeShareGroupStateRequest => InitializeShareGroupStateResponse;

    /// Starts the stored state of share partitions.
    struct InitializeShareGroupStateRequest {
        0+ group_id: Str,
        0+ topics: Vec<InitializeStateData>,
    }

    struct InitializeStateData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition: i32,
        0+ state_epoch: i32,
        0+ start_offset: i64,
    }

    /// What became of each partition.
    struct InitializeShareGroupStateResponse {
        0+ results: Vec<InitializeStateResult>,
    }

    struct InitializeStateResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
