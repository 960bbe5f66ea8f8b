//! DescribeQuorum, key 55.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 55, versions 0-2, flexible 0+, DescribeQuorumRequest => DescribeQuorumResponse;

    /// Asks for the leader, voters and observers of the metadata quorum.
    struct DescribeQuorumRequest {
        0+ topics: Vec<TopicData>,
    }

    struct TopicData {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
    }

    /// How far each replica of the quorum has read.
    struct DescribeQuorumResponse {
        0+ error_code: ErrorCode,
        2+ error_message: Option<Str>,
        0+ topics: Vec<TopicDataResult>,
        2+ nodes: Vec<Node>,
    }

    struct TopicDataResult {
        0+ topic_name: Str,
        0+ partitions: Vec<PartitionDataResult>,
    }

    struct PartitionDataResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        2+ error_message: Option<Str>,
        0+ leader_id: i32,
        0+ leader_epoch: i32,
        0+ high_watermark: i64,
        0+ current_voters: Vec<ReplicaState>,
        0+ observers: Vec<ReplicaState>,
    }

    struct ReplicaState {
        0+ replica_id: i32,
        2+ replica_directory_id: Uuid,
        0+ log_end_offset: i64,
        1+ last_fetch_timestamp: i64 = -1,
        1+ last_caught_up_timestamp: i64 = -1,
    }

    struct Node {
        2+ node_id: i32,
        2+ listeners: Vec<Listener>,
    }

    struct Listener {
        2+ name: Str,
        2+ host: Str,
        2+ port: u16,
    }
}
