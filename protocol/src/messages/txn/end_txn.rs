//! EndTxn, key 26.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 26, versions 0-5, flexible 3+, EndTxnRequest => EndTxnResponse;

    /// Commits or aborts a transaction (KIP-98).
    struct EndTxnRequest {
        0+ transactional_id: Str,
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        0+ committed: bool,
    }

    /// Whether it ended, and the epoch to go on with.
    struct EndTxnResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        5+ producer_id: i64 = -1,
        5+ producer_epoch: i16 = -1,
    }
}
