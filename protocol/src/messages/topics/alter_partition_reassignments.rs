//! AlterPartitionReassignments, key 45.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 45, versions 0-1, flexible 0+,
    AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse;

    /// Moves partitions to other brokers, or stops a move (KIP-455).
    struct AlterPartitionReassignmentsRequest {
        0+ timeout_ms: i32 = 60000,
        1+ allow_replication_factor_change: bool = true,
        0+ topics: Vec<ReassignableTopic>,
    }

    struct ReassignableTopic {
        0+ name: Str,
        0+ partitions: Vec<ReassignablePartition>,
    }

    struct ReassignablePartition {
        0+ partition_index: i32,
        0+ replicas: Option<Vec<i32>>,
    }

    /// Whether each move was accepted.
    struct AlterPartitionReassignmentsResponse {
        0+ throttle_time_ms: i32,
        1+ allow_replication_factor_change: bool = true,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ responses: Vec<ReassignableTopicResponse>,
    }

    struct ReassignableTopicResponse {
        0+ name: Str,
        0+ partitions: Vec<ReassignablePartitionResponse>,
    }

    struct ReassignablePartitionResponse {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
