//! CreateAcls, key 30.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 30, versions 1-3, flexible 2+, CreateAclsRequest => CreateAclsResponse;

    /// Adds access rules.
    struct CreateAclsRequest {
        0+ creations: Vec<AclCreation>,
    }

    struct AclCreation {
        0+ resource_type: i8,
        0+ resource_name: Str,
        1+ resource_pattern_type: i8 = 3,
        0+ principal: Str,
        0+ host: Str,
        0+ operation: i8,
        0+ permission_type: i8,
    }

    /// What became of each rule.
    struct CreateAclsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<AclCreationResult>,
    }

    struct AclCreationResult {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
