//! BeginQuorumEpoch, key 53.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 53, versions 0-1, flexible 1+, BeginQuorumEpochRequest => BeginQuorumEpochResponse;

    /// Tells the voters that their epoch has a leader.
    struct BeginQuorumEpochRequest {
        0+ cluster_id: Option<Str>,
        1+ voter_id: i32 = -1,
        0+ topics: Vec<TopicData>,
        1+ leader_endpoints: Vec<LeaderEndpoint>,
    }

    struct TopicData {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
        1+ voter_directory_id: Uuid,
        0+ leader_id: i32,
        0+ leader_epoch: i32,
    }

    struct LeaderEndpoint {
        1+ name: Str,
        1+ host: Str,
        1+ port: u16,
    }

    /// Whether the voter follows.
    struct BeginQuorumEpochResponse {
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
