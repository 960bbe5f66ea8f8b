//! ExpireDelegationToken, key 40.

use bytes::Bytes;

use crate::{ErrorCode, wire::api};

api! {
    key 40, versions 1-2, flexible 2+,
    ExpireDelegationTokenRequest => ExpireDelegationTokenResponse;

    /// Shortens the life of a delegation token, or ends it.
    struct ExpireDelegationTokenRequest {
        0+ hmac: Bytes,
        0+ expiry_time_period_ms: i64,
    }

    /// When the token expires now.
    struct ExpireDelegationTokenResponse {
        0+ error_code: ErrorCode,
        0+ expiry_timestamp_ms: i64,
        0+ throttle_time_ms: i32,
    }
}
