//! DeleteAcls, key 31.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 31, versions 1-3, flexible 2+, DeleteAclsRequest => DeleteAclsResponse;

    /// Deletes the access rules that match filters.
    struct DeleteAclsRequest {
        0+ filters: Vec<DeleteAclsFilter>,
    }

    struct DeleteAclsFilter {
        0+ resource_type_filter: i8,
        0+ resource_name_filter: Option<Str>,
        1+ pattern_type_filter: i8 = 3,
        0+ principal_filter: Option<Str>,
        0+ host_filter: Option<Str>,
        0+ operation: i8,
        0+ permission_type: i8,
    }

    /// The rules deleted by each filter.
    struct DeleteAclsResponse {
        0+ throttle_time_ms: i32,
        0+ filter_results: Vec<DeleteAclsFilterResult>,
    }

    struct DeleteAclsFilterResult {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ matching_acls: Vec<DeleteAclsMatchingAcl>,
    }

    struct DeleteAclsMatchingAcl {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ resource_type: i8,
        0+ resource_name: Str,
        1+ pattern_type: i8 = 3,
        0+ principal: Str,
        0+ host: Str,
        0+ operation: i8,
        0+ permission_type: i8,
    }
}
