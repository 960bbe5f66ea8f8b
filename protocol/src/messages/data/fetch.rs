//! Fetch, key 1.

use crate::{
    ErrorCode, Uuid,
    wire::{Records, Str, api},
};

api! {
    key 1, versions 4-18, flexible 12+, FetchRequest => FetchResponse;

    /// Long-polls record batches from the partitions that this broker hosts.
    struct FetchRequest {
        0-14 replica_id: i32 = -1,
        0+   max_wait_ms: i32,
        0+   min_bytes: i32,
        3+   max_bytes: i32 = i32::MAX,
        4+   isolation_level: i8,
        7+   session_id: i32,
        7+   session_epoch: i32 = -1,
        0+   topics: Vec<FetchTopic>,
        7+   forgotten_topics_data: Vec<ForgottenTopic>,
        11+  rack_id: Str,
    } tagged {
        0 => 12+ cluster_id: Option<Str>,
        1 => 15+ replica_state: ReplicaState,
    }

    struct ReplicaState {
        15+ replica_id: i32 = -1,
        15+ replica_epoch: i64 = -1,
    }

    struct FetchTopic {
        0-12 topic: Str,
        13+  topic_id: Uuid,
        0+   partitions: Vec<FetchPartition>,
    }

    struct FetchPartition {
        0+  partition: i32,
        9+  current_leader_epoch: i32 = -1,
        0+  fetch_offset: i64,
        12+ last_fetched_epoch: i32 = -1,
        5+  log_start_offset: i64 = -1,
        0+  partition_max_bytes: i32,
    } tagged {
        0 => 17+ replica_directory_id: Uuid,
        1 => 18+ high_watermark: i64 = i64::MAX,
    }

    struct ForgottenTopic {
        7-12 topic: Str,
        13+  topic_id: Uuid,
        7+   partitions: Vec<i32>,
    }

    /// Batches by partition, and how far each may be read.
    struct FetchResponse {
        1+ throttle_time_ms: i32,
        7+ error_code: ErrorCode,
        7+ session_id: i32,
        0+ responses: Vec<FetchableTopicResponse>,
    } tagged {
        0 => 16+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct FetchableTopicResponse {
        0-12 topic: Str,
        13+  topic_id: Uuid,
        0+   partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+  partition_index: i32,
        0+  error_code: ErrorCode,
        0+  high_watermark: i64,
        4+  last_stable_offset: i64 = -1,
        5+  log_start_offset: i64 = -1,
        4+  aborted_transactions: Option<Vec<AbortedTransaction>>,
        11+ preferred_read_replica: i32 = -1,
        0+  records: Option<Records>,
    } tagged {
        0 => 12+ diverging_epoch: EpochEndOffset,
        1 => 12+ current_leader: LeaderIdAndEpoch,
        2 => 12+ snapshot_id: SnapshotId,
    }

    struct EpochEndOffset {
        12+ epoch: i32 = -1,
        12+ end_offset: i64 = -1,
    }

    struct LeaderIdAndEpoch {
        12+ leader_id: i32 = -1,
        12+ leader_epoch: i32 = -1,
    }

    struct SnapshotId {
        0+ end_offset: i64 = -1,
        0+ epoch: i32 = -1,
    }

    struct AbortedTransaction {
        4+ producer_id: i64,
        4+ first_offset: i64,
    }

    struct NodeEndpoint {
        16+ node_id: i32,
        16+ host: Str,
        16+ port: i32,
        16+ rack: Option<Str>,
    }
}
