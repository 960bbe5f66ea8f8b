//! DescribeLogDirs, key 35.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 35, versions 1-5, flexible 2+, DescribeLogDirsRequest => DescribeLogDirsResponse;

    /// Asks what lies in the broker's log directories.
    struct DescribeLogDirsRequest {
        0+ topics: Option<Vec<DescribableLogDirTopic>>,
    }

    struct DescribableLogDirTopic {
        0+ topic: Str,
        0+ partitions: Vec<i32>,
    }

    /// Each directory with its partitions and their sizes.
    struct DescribeLogDirsResponse {
        0+ throttle_time_ms: i32,
        3+ error_code: ErrorCode,
        0+ results: Vec<DescribeLogDirsResult>,
    }

    struct DescribeLogDirsResult {
        0+ error_code: ErrorCode,
        0+ log_dir: Str,
        0+ topics: Vec<DescribeLogDirsTopic>,
        4+ total_bytes: i64 = -1,
        4+ usable_bytes: i64 = -1,
        5+ is_cordoned: bool,
    }

    struct DescribeLogDirsTopic {
        0+ name: Str,
        0+ partitions: Vec<DescribeLogDirsPartition>,
    }

    struct DescribeLogDirsPartition {
        0+ partition_index: i32,
        0+ partition_size: i64,
        0+ offset_lag: i64,
        0+ is_future_key: bool,
    }
}
