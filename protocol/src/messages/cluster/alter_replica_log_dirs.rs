//! AlterReplicaLogDirs, key 34.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 34, versions 1-2, flexible 2+, AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse;

    /// Moves replicas between the log directories of one broker (KIP-113).
    struct AlterReplicaLogDirsRequest {
        0+ dirs: Vec<AlterReplicaLogDir>,
    }

    struct AlterReplicaLogDir {
        0+ path: Str,
        0+ topics: Vec<AlterReplicaLogDirTopic>,
    }

    struct AlterReplicaLogDirTopic {
        0+ name: Str,
        0+ partitions: Vec<i32>,
    }

    /// Whether each move was accepted.
    struct AlterReplicaLogDirsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<AlterReplicaLogDirTopicResult>,
    }

    struct AlterReplicaLogDirTopicResult {
        0+ topic_name: Str,
        0+ partitions: Vec<AlterReplicaLogDirPartitionResult>,
    }

    struct AlterReplicaLogDirPartitionResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
