//! DescribeDelegationToken, key 41.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 41, versions 1-3, flexible 2+,
    DescribeDelegationTokenRequest => DescribeDelegationTokenResponse;

    /// Asks for delegation tokens by owner.
    struct DescribeDelegationTokenRequest {
        0+ owners: Option<Vec<DescribeDelegationTokenOwner>>,
    }

    struct DescribeDelegationTokenOwner {
        0+ principal_type: Str,
        0+ principal_name: Str,
    }

    /// The tokens that the asker may see.
    struct DescribeDelegationTokenResponse {
        0+ error_code: ErrorCode,
        0+ tokens: Vec<DescribedDelegationToken>,
        0+ throttle_time_ms: i32,
    }

    struct DescribedDelegationToken {
        0+ principal_type: Str,
        0+ principal_name: Str,
        3+ token_requester_principal_type: Str,
        3+ token_requester_principal_name: Str,
        0+ issue_timestamp: i64,
        0+ expiry_timestamp: i64,
        0+ max_timestamp: i64,
        0+ token_id: Str,
        0+ hmac: Bytes,
        0+ renewers: Vec<DescribedDelegationTokenRenewer>,
    }

    struct DescribedDelegationTokenRenewer {
        0+ principal_type: Str,
        0+ principal_name: Str,
    }
}
