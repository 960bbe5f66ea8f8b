//! Clients' own metrics.

pub mod get_telemetry_subscriptions;
pub mod push_telemetry;

pub use get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
pub use push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
