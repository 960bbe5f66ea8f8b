//! ReadShareGroupState, key 84.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 84, versions 0, flexible 0+, ReadShareGroupStateRequest => ReadShareGroupStateResponse;

    /// Reads the stored state of share partitions.
    struct ReadShareGroupStateRequest {
        0+ group_id: Str,
        0+ topics: Vec<ReadStateData>,
    }

    struct ReadStateData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition: i32,
        0+ leader_epoch: i32,
    }

    /// The state of each partition, record by record.
    struct ReadShareGroupStateResponse {
        0+ results: Vec<ReadStateResult>,
    }

    struct ReadStateResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ state_epoch: i32,
        0+ start_offset: i64,
        0+ state_batches: Vec<StateBatch>,
    }

    struct StateBatch {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ delivery_state: i8,
        0+ delivery_count: i16,
    }
}
