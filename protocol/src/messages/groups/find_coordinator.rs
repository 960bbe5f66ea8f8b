//! FindCoordinator, key 10.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 10, versions 0-6, flexible 3+, FindCoordinatorRequest => FindCoordinatorResponse;

    /// Asks which broker coordinates a group, a transactional id or a share partition.
    struct FindCoordinatorRequest {
        0-3 key: Str,
        1+  key_type: i8,
        4+  coordinator_keys: Vec<Str>,
    }

    /// The coordinator of each key.
    struct FindCoordinatorResponse {
        1+  throttle_time_ms: i32,
        0-3 error_code: ErrorCode,
        1-3 error_message: Option<Str>,
        0-3 node_id: i32,
        0-3 host: Str,
        0-3 port: i32,
        4+  coordinators: Vec<Coordinator>,
    }

    struct Coordinator {
        4+ key: Str,
        4+ node_id: i32,
        4+ host: Str,
        4+ port: i32,
        4+ error_code: ErrorCode,
        4+ error_message: Option<Str>,
    }
}
