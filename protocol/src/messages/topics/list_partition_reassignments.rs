//! ListPartitionReassignments, key 46.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 46, versions 0, flexible 0+,
    ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse;

    /// Asks which partitions are being moved.
    struct ListPartitionReassignmentsRequest {
        0+ timeout_ms: i32 = 60000,
        0+ topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    struct ListPartitionReassignmentsTopics {
        0+ name: Str,
        0+ partition_indexes: Vec<i32>,
    }

    /// The moves under way.
    struct ListPartitionReassignmentsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ topics: Vec<OngoingTopicReassignment>,
    }

    struct OngoingTopicReassignment {
        0+ name: Str,
        0+ partitions: Vec<OngoingPartitionReassignment>,
    }

    struct OngoingPartitionReassignment {
        0+ partition_index: i32,
        0+ replicas: Vec<i32>,
        0+ adding_replicas: Vec<i32>,
        0+ removing_replicas: Vec<i32>,
    }
}
