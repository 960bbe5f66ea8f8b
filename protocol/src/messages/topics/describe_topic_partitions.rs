//! DescribeTopicPartitions, key 75.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 75, versions 0, flexible 0+,
    DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse;

    /// Asks for topics page by page, with their eligible leader replicas (KIP-966).
    struct DescribeTopicPartitionsRequest {
        0+ topics: Vec<TopicRequest>,
        0+ response_partition_limit: i32 = 2000,
        0+ cursor: Option<Cursor>,
    }

    struct TopicRequest {
        0+ name: Str,
    }

    struct Cursor {
        0+ topic_name: Str,
        0+ partition_index: i32,
    }

    /// One page of partitions, and where the next begins.
    struct DescribeTopicPartitionsResponse {
        0+ throttle_time_ms: i32,
        0+ topics: Vec<DescribeTopicPartitionsResponseTopic>,
        0+ next_cursor: Option<CursorResult>,
    }

    struct DescribeTopicPartitionsResponseTopic {
        0+ error_code: ErrorCode,
        0+ name: Option<Str>,
        0+ topic_id: Uuid,
        0+ is_internal: bool,
        0+ partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        0+ topic_authorized_operations: i32 = i32::MIN,
    }

    struct DescribeTopicPartitionsResponsePartition {
        0+ error_code: ErrorCode,
        0+ partition_index: i32,
        0+ leader_id: i32,
        0+ leader_epoch: i32 = -1,
        0+ replica_nodes: Vec<i32>,
        0+ isr_nodes: Vec<i32>,
        0+ eligible_leader_replicas: Option<Vec<i32>>,
        0+ last_known_elr: Option<Vec<i32>>,
        0+ offline_replicas: Vec<i32>,
    }

    struct CursorResult {
        0+ topic_name: Str,
        0+ partition_index: i32,
    }
}
