//! ControllerRegistration, key 70.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 70, versions 0, flexible 0+,
    ControllerRegistrationRequest => ControllerRegistrationResponse;

    /// Announces a controller to the active one (KIP-919).
    struct ControllerRegistrationRequest {
        0+ controller_id: i32,
        0+ incarnation_id: Uuid,
        0+ zk_migration_ready: bool,
        0+ listeners: Vec<Listener>,
        0+ features: Vec<Feature>,
    }

    struct Listener {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
        0+ security_protocol: i16,
    }

    struct Feature {
        0+ name: Str,
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }

    /// Whether the controller is registered.
    struct ControllerRegistrationResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
