//! DescribeUserScramCredentials, key 50.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 50, versions 0, flexible 0+,
    DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse;

    /// Asks which SCRAM credentials users have (KIP-554).
    struct DescribeUserScramCredentialsRequest {
        0+ users: Option<Vec<UserName>>,
    }

    struct UserName {
        0+ name: Str,
    }

    /// Mechanisms and iterations by user.
    struct DescribeUserScramCredentialsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ results: Vec<DescribeUserScramCredentialsResult>,
    }

    struct DescribeUserScramCredentialsResult {
        0+ user: Str,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ credential_infos: Vec<CredentialInfo>,
    }

    struct CredentialInfo {
        0+ mechanism: i8,
        0+ iterations: i32,
    }
}
