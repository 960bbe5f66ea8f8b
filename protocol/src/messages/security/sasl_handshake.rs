//! SaslHandshake, key 17.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 17, versions 0-1, flexible none, SaslHandshakeRequest => SaslHandshakeResponse;

    /// Chooses a SASL mechanism.
    struct SaslHandshakeRequest {
        0+ mechanism: Str,
    }

    /// Whether the mechanism is served, and which are.
    struct SaslHandshakeResponse {
        0+ error_code: ErrorCode,
        0+ mechanisms: Vec<Str>,
    }
}
