//! UnregisterController, key 94.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 94, versions 0, flexible 0+, UnregisterControllerRequest => UnregisterControllerResponse;

    /// Removes a controller's registration from the cluster.
    struct UnregisterControllerRequest {
        0+ controller_id: i32,
    }

    /// Whether it was removed.
    struct UnregisterControllerResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
