//! ListConfigResources, key 74.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 74, versions 0-1, flexible 0+, ListConfigResourcesRequest => ListConfigResourcesResponse;

    /// Asks which resources have a configuration of their own (KIP-1142).
    struct ListConfigResourcesRequest {
        1+ resource_types: Vec<i8>,
    }

    /// The resources by type and name.
    struct ListConfigResourcesResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ config_resources: Vec<ConfigResource>,
    }

    struct ConfigResource {
        0+ resource_name: Str,
        1+ resource_type: i8 = 16,
    }
}
