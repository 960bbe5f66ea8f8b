//! SaslAuthenticate, key 36.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 36, versions 0-2, flexible 2+, SaslAuthenticateRequest => SaslAuthenticateResponse;

    /// Carries one step of a SASL exchange.
    struct SaslAuthenticateRequest {
        0+ auth_bytes: Bytes,
    }

    /// The answer to the step, and how long the session lasts.
    struct SaslAuthenticateResponse {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ auth_bytes: Bytes,
        1+ session_lifetime_ms: i64,
    }
}
