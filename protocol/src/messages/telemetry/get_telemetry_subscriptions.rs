//! GetTelemetrySubscriptions, key 71.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 71, versions 0, flexible 0+,
    GetTelemetrySubscriptionsRequest => GetTelemetrySubscriptionsResponse;

    /// Asks which metrics the client should push (KIP-714).
    struct GetTelemetrySubscriptionsRequest {
        0+ client_instance_id: Uuid,
    }

    /// The metrics wanted, how often, and in which form.
    struct GetTelemetrySubscriptionsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ client_instance_id: Uuid,
        0+ subscription_id: i32,
        0+ accepted_compression_types: Vec<i8>,
        0+ push_interval_ms: i32,
        0+ telemetry_max_bytes: i32,
        0+ delta_temporality: bool,
        0+ requested_metrics: Vec<Str>,
    }
}
