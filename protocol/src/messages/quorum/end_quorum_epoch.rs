//! EndQuorumEpoch, key 54.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 54, versions 0-1, flexible 1+, EndQuorumEpochRequest => EndQuorumEpochResponse;

    /// Tells the voters that the leader steps down.
    struct EndQuorumEpochRequest {
        0+ cluster_id: Option<Str>,
        0+ topics: Vec<TopicData>,
        1+ leader_endpoints: Vec<LeaderEndpoint>,
    }

    struct TopicData {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+  partition_index: i32,
        0+  leader_id: i32,
        0+  leader_epoch: i32,
        0-0 preferred_successors: Vec<i32>,
        1+  preferred_candidates: Vec<ReplicaInfo>,
    }

    struct ReplicaInfo {
        1+ candidate_id: i32,
        1+ candidate_directory_id: Uuid,
    }

    struct LeaderEndpoint {
        1+ name: Str,
        1+ host: Str,
        1+ port: u16,
    }

    /// Whether the voter agrees on the epoch.
    struct EndQuorumEpochResponse {
        0+ error_code: ErrorCode,
        0+ topics: Vec<TopicDataResult>,
    } tagged {
        0 => 1+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct TopicDataResult {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionDataResult>,
    }

    struct PartitionDataResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ leader_id: i32,
        0+ leader_epoch: i32,
    }

    struct NodeEndpoint {
        1+ node_id: i32,
        1+ host: Str,
        1+ port: u16,
    }
}
