//! IncrementalAlterConfigs, key 44.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 44, versions 0-1, flexible 1+,
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse;

    /// Sets, deletes, extends or shortens single overrides (KIP-339).
    struct IncrementalAlterConfigsRequest {
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
        0+ config_operation: i8,
        0+ value: Option<Str>,
    }

    /// What became of each resource.
    struct IncrementalAlterConfigsResponse {
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
