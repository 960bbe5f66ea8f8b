//! AssignReplicasToDirs, key 73.

use crate::{ErrorCode, Uuid, wire::api};

api! {
    key 73, versions 0, flexible 0+, AssignReplicasToDirsRequest => AssignReplicasToDirsResponse;

    /// Reports which log directory holds each replica (KIP-858).
    struct AssignReplicasToDirsRequest {
        0+ broker_id: i32,
        0+ broker_epoch: i64 = -1,
        0+ directories: Vec<DirectoryData>,
    }

    struct DirectoryData {
        0+ id: Uuid,
        0+ topics: Vec<TopicData>,
    }

    struct TopicData {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
    }

    /// Whether each report was accepted.
    struct AssignReplicasToDirsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ directories: Vec<DirectoryDataResult>,
    }

    struct DirectoryDataResult {
        0+ id: Uuid,
        0+ topics: Vec<TopicDataResult>,
    }

    struct TopicDataResult {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionDataResult>,
    }

    struct PartitionDataResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
