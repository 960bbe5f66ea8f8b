//! AllocateProducerIds, key 67.

use crate::{ErrorCode, wire::api};

api! {
    key 67, versions 0, flexible 0+, AllocateProducerIdsRequest => AllocateProducerIdsResponse;

    /// Takes a block of producer ids from the controller (KIP-730).
    struct AllocateProducerIdsRequest {
        0+ broker_id: i32,
        0+ broker_epoch: i64 = -1,
    }

    /// The block.
    struct AllocateProducerIdsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ producer_id_start: i64,
        0+ producer_id_len: i32,
    }
}
