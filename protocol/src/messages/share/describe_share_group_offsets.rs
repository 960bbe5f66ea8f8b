//! DescribeShareGroupOffsets, key 90.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 90, versions 0-1, flexible 0+,
    DescribeShareGroupOffsetsRequest => DescribeShareGroupOffsetsResponse;

    /// Asks from where share groups read.
    struct DescribeShareGroupOffsetsRequest {
        0+ groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
    }

    struct DescribeShareGroupOffsetsRequestGroup {
        0+ group_id: Str,
        0+ topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>>,
    }

    struct DescribeShareGroupOffsetsRequestTopic {
        0+ topic_name: Str,
        0+ partitions: Vec<i32>,
    }

    /// The start offset, and the lag, of each partition.
    struct DescribeShareGroupOffsetsResponse {
        0+ throttle_time_ms: i32,
        0+ groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    }

    struct DescribeShareGroupOffsetsResponseGroup {
        0+ group_id: Str,
        0+ topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }

    struct DescribeShareGroupOffsetsResponseTopic {
        0+ topic_name: Str,
        0+ topic_id: Uuid,
        0+ partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    }

    struct DescribeShareGroupOffsetsResponsePartition {
        0+ partition_index: i32,
        0+ start_offset: i64,
        0+ leader_epoch: i32,
        1+ lag: i64 = -1,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
