//! Vote, key 52.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 52, versions 0-2, flexible 0+, VoteRequest => VoteResponse;

    /// Asks a voter for its vote, or whether it would give it (KIP-595, KIP-996).
    struct VoteRequest {
        0+ cluster_id: Option<Str>,
        1+ voter_id: i32 = -1,
        0+ topics: Vec<TopicData>,
    }

    struct TopicData {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
        0+ replica_epoch: i32,
        0+ replica_id: i32,
        1+ replica_directory_id: Uuid,
        1+ voter_directory_id: Uuid,
        0+ last_offset_epoch: i32,
        0+ last_offset: i64,
        2+ pre_vote: bool,
    }

    /// Whether the vote was given, and who leads.
    struct VoteResponse {
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
        0+ vote_granted: bool,
    }

    struct NodeEndpoint {
        1+ node_id: i32,
        1+ host: Str,
        1+ port: u16,
    }
}
