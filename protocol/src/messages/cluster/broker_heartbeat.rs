//! BrokerHeartbeat, key 63.

use crate::{ErrorCode, Uuid, wire::api};

api! {
    key 63, versions 0-2, flexible 0+, BrokerHeartbeatRequest => BrokerHeartbeatResponse;

    /// Tells the controller that a broker lives and how far it has caught up.
    struct BrokerHeartbeatRequest {
        0+ broker_id: i32,
        0+ broker_epoch: i64 = -1,
        0+ current_metadata_offset: i64,
        0+ want_fence: bool,
        0+ want_shut_down: bool,
    } tagged {
        0 => 1+ offline_log_dirs: Vec<Uuid>,
        1 => 2+ cordoned_log_dirs: Option<Vec<Uuid>>,
    }

    /// Whether the broker may serve, or should shut down.
    struct BrokerHeartbeatResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ is_caught_up: bool,
        0+ is_fenced: bool = true,
        0+ should_shut_down: bool,
    }
}
