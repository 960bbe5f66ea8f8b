//! DeleteRecords, key 21.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 21, versions 0-2, flexible 2+, DeleteRecordsRequest => DeleteRecordsResponse;

    /// Moves the start of partitions forward, so that older records are gone.
    struct DeleteRecordsRequest {
        0+ topics: Vec<DeleteRecordsTopic>,
        0+ timeout_ms: i32,
    }

    struct DeleteRecordsTopic {
        0+ name: Str,
        0+ partitions: Vec<DeleteRecordsPartition>,
    }

    struct DeleteRecordsPartition {
        0+ partition_index: i32,
        0+ offset: i64,
    }

    /// The new first offset of each partition.
    struct DeleteRecordsResponse {
        0+ throttle_time_ms: i32,
        0+ topics: Vec<DeleteRecordsTopicResult>,
    }

    struct DeleteRecordsTopicResult {
        0+ name: Str,
        0+ partitions: Vec<DeleteRecordsPartitionResult>,
    }

    struct DeleteRecordsPartitionResult {
        0+ partition_index: i32,
        0+ low_watermark: i64,
        0+ error_code: ErrorCode,
    }
}
