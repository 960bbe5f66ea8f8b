//! PushTelemetry, key 72.

use bytes::Bytes;

use crate::{ErrorCode, Uuid, wire::api};

api! {
    key 72, versions 0, flexible 0+, PushTelemetryRequest => PushTelemetryResponse;

    /// Pushes the client's metrics (KIP-714).
    struct PushTelemetryRequest {
        0+ client_instance_id: Uuid,
        0+ subscription_id: i32,
        0+ terminating: bool,
        0+ compression_type: i8,
        0+ metrics: Bytes,
    }

    /// Whether they were taken.
    struct PushTelemetryResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
    }
}
