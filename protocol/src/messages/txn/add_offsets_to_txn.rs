//! AddOffsetsToTxn, key 25.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 25, versions 0-4, flexible 3+, AddOffsetsToTxnRequest => AddOffsetsToTxnResponse;

    /// Adds a group's offsets to a transaction (KIP-98).
    struct AddOffsetsToTxnRequest {
        0+ transactional_id: Str,
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        0+ group_id: Str,
    }

    /// Whether they were added.
    struct AddOffsetsToTxnResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
    }
}
