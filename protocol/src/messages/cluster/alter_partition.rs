//! AlterPartition, key 56.

use crate::{ErrorCode, Uuid, wire::api};

api! {
    key 56, versions 2-3, flexible 0+, AlterPartitionRequest => AlterPartitionResponse;

    /// Lets a leader propose a new set of in-sync replicas (KIP-497).
    struct AlterPartitionRequest {
        0+ broker_id: i32,
        0+ broker_epoch: i64 = -1,
        0+ topics: Vec<TopicData>,
    }

    struct TopicData {
        2+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+  partition_index: i32,
        0+  leader_epoch: i32,
        0-2 new_isr: Vec<i32>,
        3+  new_isr_with_epochs: Vec<BrokerState>,
        1+  leader_recovery_state: i8,
        0+  partition_epoch: i32,
    }

    struct BrokerState {
        3+ broker_id: i32,
        3+ broker_epoch: i64 = -1,
    }

    /// The state of each partition as the controller committed it.
    struct AlterPartitionResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ topics: Vec<TopicDataResult>,
    }

    struct TopicDataResult {
        2+ topic_id: Uuid,
        0+ partitions: Vec<PartitionDataResult>,
    }

    struct PartitionDataResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ leader_id: i32,
        0+ leader_epoch: i32,
        0+ isr: Vec<i32>,
        1+ leader_recovery_state: i8,
        0+ partition_epoch: i32,
    }
}
