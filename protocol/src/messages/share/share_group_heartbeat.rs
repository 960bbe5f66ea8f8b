//! ShareGroupHeartbeat, key 76.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 76, versions 1, flexible 0+, ShareGroupHeartbeatRequest => ShareGroupHeartbeatResponse;

    /// Joins, stays in or leaves a share group (KIP-932).
    struct ShareGroupHeartbeatRequest {
        0+ group_id: Str,
        0+ member_id: Str,
        0+ member_epoch: i32,
        0+ rack_id: Option<Str>,
        0+ subscribed_topic_names: Option<Vec<Str>>,
    }

    /// The member's epoch and what is assigned to it.
    struct ShareGroupHeartbeatResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ member_id: Option<Str>,
        0+ member_epoch: i32,
        0+ heartbeat_interval_ms: i32,
        0+ assignment: Option<Assignment>,
    }

    struct Assignment {
        0+ topic_partitions: Vec<TopicPartitions>,
    }

    struct TopicPartitions {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    }
}
