//! WriteShareGroupState, key 85.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 85, versions 0-1, flexible 0+, WriteShareGroupStateRequest => WriteShareGroupStateResponse;

    /// Stores changes to the state of share partitions.
    struct WriteShareGroupStateRequest {
        0+ group_id: Str,
        0+ topics: Vec<WriteStateData>,
    }

    struct WriteStateData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition: i32,
        0+ state_epoch: i32,
        0+ leader_epoch: i32,
        0+ start_offset: i64,
        1+ delivery_complete_count: i32 = -1,
        0+ state_batches: Vec<StateBatch>,
    }

    struct StateBatch {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ delivery_state: i8,
        0+ delivery_count: i16,
    }

    /// What became of each partition.
    struct WriteShareGroupStateResponse {
        0+ results: Vec<WriteStateResult>,
    }

    struct WriteStateResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
