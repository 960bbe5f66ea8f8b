//! UnregisterBroker, key 64.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 64, versions 0, flexible 0+, UnregisterBrokerRequest => UnregisterBrokerResponse;

    /// Removes a broker's registration from the cluster (KIP-631).
    struct UnregisterBrokerRequest {
        0+ broker_id: i32,
    }

    /// Whether it was removed.
    struct UnregisterBrokerResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
