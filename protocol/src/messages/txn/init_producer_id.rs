//! InitProducerId, key 22.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 22, versions 0-5, unstable 6, flexible 2+, InitProducerIdRequest => InitProducerIdResponse;

    /// Gives an idempotent or transactional producer its id and epoch (KIP-98).
    struct InitProducerIdRequest {
        0+ transactional_id: Option<Str>,
        0+ transaction_timeout_ms: i32,
        3+ producer_id: i64 = -1,
        3+ producer_epoch: i16 = -1,
        6+ enable2_pc: bool,
        6+ keep_prepared_txn: bool,
    }

    /// The id and epoch to produce with.
    struct InitProducerIdResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ producer_id: i64 = -1,
        0+ producer_epoch: i16,
        6+ ongoing_txn_producer_id: i64 = -1,
        6+ ongoing_txn_producer_epoch: i16 = -1,
    }
}
