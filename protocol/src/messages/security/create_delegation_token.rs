//! CreateDelegationToken, key 38.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 38, versions 1-3, flexible 2+,
    CreateDelegationTokenRequest => CreateDelegationTokenResponse;

    /// Makes a delegation token (KIP-48).
    struct CreateDelegationTokenRequest {
        3+ owner_principal_type: Option<Str>,
        3+ owner_principal_name: Option<Str>,
        0+ renewers: Vec<CreatableRenewers>,
        0+ max_lifetime_ms: i64,
    }

    struct CreatableRenewers {
        0+ principal_type: Str,
        0+ principal_name: Str,
    }

    /// The token and its lifetime.
    struct CreateDelegationTokenResponse {
        0+ error_code: ErrorCode,
        0+ principal_type: Str,
        0+ principal_name: Str,
        3+ token_requester_principal_type: Str,
        3+ token_requester_principal_name: Str,
        0+ issue_timestamp_ms: i64,
        0+ expiry_timestamp_ms: i64,
        0+ max_timestamp_ms: i64,
        0+ token_id: Str,
        0+ hmac: Bytes,
        0+ throttle_time_ms: i32,
    }
}
