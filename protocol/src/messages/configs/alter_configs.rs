//! AlterConfigs, key 33.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 33, versions 0-2, flexible 2+, AlterConfigsRequest => AlterConfigsResponse;

    /// Replaces all overrides of a resource; IncrementalAlterConfigs is to be preferred.
    struct AlterConfigsRequest {
        0+ resources: Vec<AlterConfigsResource>,
        0+ validate_only: bool,
    }

    struct AlterConfigsResource {
        0+ resource_type: i8,
        0+ resource_name: Str,
        0+ configs: Vec<AlterableConfig>,
    }

    struct AlterableConfig {
        0+ name: Str,
        0+ value: Option<Str>,
    }

    /// What became of each resource.
    struct AlterConfigsResponse {
        0+ throttle_time_ms: i32,
        0+ responses: Vec<AlterConfigsResourceResponse>,
    }

    struct AlterConfigsResourceResponse {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ resource_type: i8,
        0+ resource_name: Str,
    }
}
