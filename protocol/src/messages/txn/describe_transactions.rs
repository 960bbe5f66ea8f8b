//! DescribeTransactions, key 65.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 65, versions 0, flexible 0+, DescribeTransactionsRequest => DescribeTransactionsResponse;

    /// Asks for the state of transactions by id (KIP-664).
    struct DescribeTransactionsRequest {
        0+ transactional_ids: Vec<Str>,
    }

    /// The state of each transaction.
    struct DescribeTransactionsResponse {
        0+ throttle_time_ms: i32,
        0+ transaction_states: Vec<TransactionState>,
    }

    struct TransactionState {
        0+ error_code: ErrorCode,
        0+ transactional_id: Str,
        0+ transaction_state: Str,
        0+ transaction_timeout_ms: i32,
        0+ transaction_start_time_ms: i64,
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        0+ topics: Vec<TopicData>,
    }

    struct TopicData {
        0+ topic: Str,
        0+ partitions: Vec<i32>,
    }
}
