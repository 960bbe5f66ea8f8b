//! Heartbeat, key 12.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 12, versions 0-4, flexible 4+, HeartbeatRequest => HeartbeatResponse;

    /// Keeps a member of a classic group alive.
    struct HeartbeatRequest {
        0+ group_id: Str,
        0+ generation_id: i32,
        0+ member_id: Str,
        3+ group_instance_id: Option<Str>,
    }

    /// Whether the member is still in, or must join again.
    struct HeartbeatResponse {
        1+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
    }
}
