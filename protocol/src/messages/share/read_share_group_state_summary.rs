//! ReadShareGroupStateSummary, key 87.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 87, versions 0-1, flexible 0+,
    ReadShareGroupStateSummaryRequest => ReadShareGroupStateSummaryResponse;

    /// Reads the stored state of share partitions without its records.
    struct ReadShareGroupStateSummaryRequest {
        0+ group_id: Str,
        0+ topics: Vec<ReadStateSummaryData>,
    }

    struct ReadStateSummaryData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition: i32,
        0+ leader_epoch: i32,
    }

    /// The start offset and epochs of each partition.
    struct ReadShareGroupStateSummaryResponse {
        0+ results: Vec<ReadStateSummaryResult>,
    }

    struct ReadStateSummaryResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ state_epoch: i32,
        0+ leader_epoch: i32,
        0+ start_offset: i64,
        1+ delivery_complete_count: i32 = -1,
    }
}
