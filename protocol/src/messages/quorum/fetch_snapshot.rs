//! FetchSnapshot, key 59.

use crate::{
    ErrorCode, Uuid,
    wire::{Records, Str, api},
};

api! {
    key 59, versions 0-1, flexible 0+, FetchSnapshotRequest => FetchSnapshotResponse;

    /// Reads a piece of a snapshot of the metadata log (KIP-630).
    struct FetchSnapshotRequest {
        0+ replica_id: i32 = -1,
        0+ max_bytes: i32 = i32::MAX,
        0+ topics: Vec<TopicSnapshot>,
    } tagged {
        0 => 0+ cluster_id: Option<Str>,
    }

    struct TopicSnapshot {
        0+ name: Str,
        0+ partitions: Vec<PartitionSnapshot>,
    }

    struct PartitionSnapshot {
        0+ partition: i32,
        0+ current_leader_epoch: i32,
        0+ snapshot_id: SnapshotId,
        0+ position: i64,
    } tagged {
        0 => 1+ replica_directory_id: Uuid,
    }

    struct SnapshotId {
        0+ end_offset: i64,
        0+ epoch: i32,
    }

    /// The piece.
    struct FetchSnapshotResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ topics: Vec<TopicSnapshotResult>,
    } tagged {
        0 => 1+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct TopicSnapshotResult {
        0+ name: Str,
        0+ partitions: Vec<PartitionSnapshotResult>,
    }

    struct PartitionSnapshotResult {
        0+ index: i32,
        0+ error_code: ErrorCode,
        0+ snapshot_id: SnapshotIdResult,
        0+ size: i64,
        0+ position: i64,
        0+ unaligned_records: Records,
    } tagged {
        0 => 0+ current_leader: LeaderIdAndEpoch,
    }

    struct SnapshotIdResult {
        0+ end_offset: i64,
        0+ epoch: i32,
    }

    struct LeaderIdAndEpoch {
        0+ leader_id: i32,
        0+ leader_epoch: i32,
    }

    struct NodeEndpoint {
        1+ node_id: i32,
        1+ host: Str,
        1+ port: u16,
    }
}
