//! ListTransactions, key 66.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 66, versions 0-2, flexible 0+, ListTransactionsRequest => ListTransactionsResponse;

    /// Asks which transactions this broker coordinates (KIP-664).
    struct ListTransactionsRequest {
        0+ state_filters: Vec<Str>,
        0+ producer_id_filters: Vec<i64>,
        1+ duration_filter: i64 = -1,
        2+ transactional_id_pattern: Option<Str>,
    }

    /// The transactions that match.
    struct ListTransactionsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ unknown_state_filters: Vec<Str>,
        0+ transaction_states: Vec<TransactionState>,
    }

    struct TransactionState {
        0+ transactional_id: Str,
        0+ producer_id: i64,
        0+ transaction_state: Str,
    }
}
