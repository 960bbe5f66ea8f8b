//! ShareAcknowledge, key 79.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 79, versions 1-2, flexible 0+, ShareAcknowledgeRequest => ShareAcknowledgeResponse;

    /// Acknowledges records that a member of a share group has acquired.
    struct ShareAcknowledgeRequest {
        0+ group_id: Option<Str>,
        0+ member_id: Option<Str>,
        0+ share_session_epoch: i32,
        2+ is_renew_ack: bool,
        0+ topics: Vec<AcknowledgeTopic>,
    }

    struct AcknowledgeTopic {
        0+ topic_id: Uuid,
        0+ partitions: Vec<AcknowledgePartition>,
    }

    struct AcknowledgePartition {
        0+ partition_index: i32,
        0+ acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    struct AcknowledgementBatch {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ acknowledge_types: Vec<i8>,
    }

    /// What became of each acknowledgement.
    struct ShareAcknowledgeResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        2+ acquisition_lock_timeout_ms: i32,
        0+ responses: Vec<ShareAcknowledgeTopicResponse>,
        0+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct ShareAcknowledgeTopicResponse {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ current_leader: LeaderIdAndEpoch,
    }

    struct LeaderIdAndEpoch {
        0+ leader_id: i32,
        0+ leader_epoch: i32,
    }

    struct NodeEndpoint {
        0+ node_id: i32,
        0+ host: Str,
        0+ port: i32,
        0+ rack: Option<Str>,
    }
}
