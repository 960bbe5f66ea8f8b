//! Envelope, key 58.

use bytes::Bytes;

use crate::{ErrorCode, wire::api};

api! {
    key 58, versions 0, flexible 0+, EnvelopeRequest => EnvelopeResponse;

    /// Carries a client's request from a broker to the controller (KIP-590).
    struct EnvelopeRequest {
        0+ request_data: Bytes,
        0+ request_principal: Option<Bytes>,
        0+ client_host_address: Bytes,
    }

    /// The controller's answer, to be passed back.
    struct EnvelopeResponse {
        0+ response_data: Option<Bytes>,
        0+ error_code: ErrorCode,
    }
}
