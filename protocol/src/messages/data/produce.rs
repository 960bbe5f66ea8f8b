//! Produce, key 0.

use crate::{
    ErrorCode, Uuid,
    wire::{Records, Str, api},
};

api! {
    key 0, versions 3-13, flexible 9+, ProduceRequest => ProduceResponse;

    /// Appends record batches to partitions that this broker leads.
    struct ProduceRequest {
        3+ transactional_id: Option<Str>,
        0+ acks: i16,
        0+ timeout_ms: i32,
        0+ topic_data: Vec<TopicProduceData>,
    }

    struct TopicProduceData {
        0-12 name: Str,
        13+  topic_id: Uuid,
        0+   partition_data: Vec<PartitionProduceData>,
    }

    struct PartitionProduceData {
        0+ index: i32,
        0+ records: Option<Records>,
    }

    /// Where each batch was put, or why it was not.
    struct ProduceResponse {
        0+ responses: Vec<TopicProduceResponse>,
        1+ throttle_time_ms: i32,
    } tagged {
        0 => 10+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct TopicProduceResponse {
        0-12 name: Str,
        13+  topic_id: Uuid,
        0+   partition_responses: Vec<PartitionProduceResponse>,
    }

    struct PartitionProduceResponse {
        0+ index: i32,
        0+ error_code: ErrorCode,
        0+ base_offset: i64,
        2+ log_append_time_ms: i64 = -1,
        5+ log_start_offset: i64 = -1,
        8+ record_errors: Vec<BatchIndexAndErrorMessage>,
        8+ error_message: Option<Str>,
    } tagged {
        0 => 10+ current_leader: LeaderIdAndEpoch,
    }

    struct BatchIndexAndErrorMessage {
        8+ batch_index: i32,
        8+ batch_index_error_message: Option<Str>,
    }

    struct LeaderIdAndEpoch {
        10+ leader_id: i32 = -1,
        10+ leader_epoch: i32 = -1,
    }

    struct NodeEndpoint {
        10+ node_id: i32,
        10+ host: Str,
        10+ port: i32,
        10+ rack: Option<Str>,
    }
}
