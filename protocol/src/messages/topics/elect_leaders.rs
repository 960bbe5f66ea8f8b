//! ElectLeaders, key 43.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 43, versions 0-2, flexible 2+, ElectLeadersRequest => ElectLeadersResponse;

    /// Elects the preferred leader, or any, of partitions (KIP-460).
    struct ElectLeadersRequest {
        1+ election_type: i8,
        0+ topic_partitions: Option<Vec<TopicPartitions>>,
        0+ timeout_ms: i32 = 60000,
    }

    struct TopicPartitions {
        0+ topic: Str,
        0+ partitions: Vec<i32>,
    }

    /// The outcome by partition.
    struct ElectLeadersResponse {
        0+ throttle_time_ms: i32,
        1+ error_code: ErrorCode,
        0+ replica_election_results: Vec<ReplicaElectionResult>,
    }

    struct ReplicaElectionResult {
        0+ topic: Str,
        0+ partition_result: Vec<PartitionResult>,
    }

    struct PartitionResult {
        0+ partition_id: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
