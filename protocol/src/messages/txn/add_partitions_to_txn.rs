//! AddPartitionsToTxn, key 24.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 24, versions 0-5, flexible 3+, AddPartitionsToTxnRequest => AddPartitionsToTxnResponse;

    /// Adds partitions to a transaction, or verifies that they belong to it (KIP-98, KIP-890).
    struct AddPartitionsToTxnRequest {
        4+  transactions: Vec<AddPartitionsToTxnTransaction>,
        0-3 v3_and_below_transactional_id: Str,
        0-3 v3_and_below_producer_id: i64,
        0-3 v3_and_below_producer_epoch: i16,
        0-3 v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
    }

    struct AddPartitionsToTxnTransaction {
        4+ transactional_id: Str,
        4+ producer_id: i64,
        4+ producer_epoch: i16,
        4+ verify_only: bool,
        4+ topics: Vec<AddPartitionsToTxnTopic>,
    }

    struct AddPartitionsToTxnTopic {
        0+ name: Str,
        0+ partitions: Vec<i32>,
    }

    /// What became of each partition.
    struct AddPartitionsToTxnResponse {
        0+  throttle_time_ms: i32,
        4+  error_code: ErrorCode,
        4+  results_by_transaction: Vec<AddPartitionsToTxnResult>,
        0-3 results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
    }

    struct AddPartitionsToTxnResult {
        4+ transactional_id: Str,
        4+ topic_results: Vec<AddPartitionsToTxnTopicResult>,
    }

    struct AddPartitionsToTxnTopicResult {
        0+ name: Str,
        0+ results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    }

    struct AddPartitionsToTxnPartitionResult {
        0+ partition_index: i32,
        0+ partition_error_code: ErrorCode,
    }
}
