//! RenewDelegationToken, key 39.

use bytes::Bytes;

use crate::{ErrorCode, wire::api};

api! {
    key 39, versions 1-2, flexible 2+, RenewDelegationTokenRequest => RenewDelegationTokenResponse;

    /// Lengthens the life of a delegation token.
    struct RenewDelegationTokenRequest {
        0+ hmac: Bytes,
        0+ renew_period_ms: i64,
    }

    /// When the token expires now.
    struct RenewDelegationTokenResponse {
        0+ error_code: ErrorCode,
        0+ expiry_timestamp_ms: i64,
        0+ throttle_time_ms: i32,
    }
}
