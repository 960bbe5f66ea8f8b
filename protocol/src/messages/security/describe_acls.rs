//! DescribeAcls, key 29.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 29, versions 1-3, flexible 2+, DescribeAclsRequest => DescribeAclsResponse;

    /// Asks for the access rules that match a filter.
    struct DescribeAclsRequest {
        0+ resource_type_filter: i8,
        0+ resource_name_filter: Option<Str>,
        1+ pattern_type_filter: i8 = 3,
        0+ principal_filter: Option<Str>,
        0+ host_filter: Option<Str>,
        0+ operation: i8,
        0+ permission_type: i8,
    }

    /// The rules by resource.
    struct DescribeAclsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ resources: Vec<DescribeAclsResource>,
    }

    struct DescribeAclsResource {
        0+ resource_type: i8,
        0+ resource_name: Str,
        1+ pattern_type: i8 = 3,
        0+ acls: Vec<AclDescription>,
    }

    struct AclDescription {
        0+ principal: Str,
        0+ host: Str,
        0+ operation: i8,
        0+ permission_type: i8,
    }
}
