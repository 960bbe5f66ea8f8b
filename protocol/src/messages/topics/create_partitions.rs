//! CreatePartitions, key 37.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 37, versions 0-3, flexible 2+, CreatePartitionsRequest => CreatePartitionsResponse;

    /// Adds partitions to topics.
    struct CreatePartitionsRequest {
        0+ topics: Vec<CreatePartitionsTopic>,
        0+ timeout_ms: i32,
        0+ validate_only: bool,
    }

    struct CreatePartitionsTopic {
        0+ name: Str,
        0+ count: i32,
        0+ assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    struct CreatePartitionsAssignment {
        0+ broker_ids: Vec<i32>,
    }

    /// What became of each topic.
    struct CreatePartitionsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<CreatePartitionsTopicResult>,
    }

    struct CreatePartitionsTopicResult {
        0+ name: Str,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
