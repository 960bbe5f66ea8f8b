//! AlterUserScramCredentials, key 51.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 51, versions 0, flexible 0+,
    AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse;

    /// Sets or deletes SCRAM credentials (KIP-554).
    struct AlterUserScramCredentialsRequest {
        0+ deletions: Vec<ScramCredentialDeletion>,
        0+ upsertions: Vec<ScramCredentialUpsertion>,
    }

    struct ScramCredentialDeletion {
        0+ name: Str,
        0+ mechanism: i8,
    }

    struct ScramCredentialUpsertion {
        0+ name: Str,
        0+ mechanism: i8,
        0+ iterations: i32,
        0+ salt: Bytes,
        0+ salted_password: Bytes,
    }

    /// What became of each user.
    struct AlterUserScramCredentialsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<AlterUserScramCredentialsResult>,
    }

    struct AlterUserScramCredentialsResult {
        0+ user: Str,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
