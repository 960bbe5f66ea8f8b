//! DescribeConfigs, key 32.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 32, versions 1-4, flexible 4+, DescribeConfigsRequest => DescribeConfigsResponse;

    /// Asks for the configuration of topics, brokers or groups.
    struct DescribeConfigsRequest {
        0+ resources: Vec<DescribeConfigsResource>,
        1+ include_synonyms: bool,
        3+ include_documentation: bool,
    }

    struct DescribeConfigsResource {
        0+ resource_type: i8,
        0+ resource_name: Str,
        0+ configuration_keys: Option<Vec<Str>>,
    }

    /// Every key asked for, with its value and where that comes from.
    struct DescribeConfigsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<DescribeConfigsResult>,
    }

    struct DescribeConfigsResult {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ resource_type: i8,
        0+ resource_name: Str,
        0+ configs: Vec<DescribeConfigsResourceResult>,
    }

    struct DescribeConfigsResourceResult {
        0+ name: Str,
        0+ value: Option<Str>,
        0+ read_only: bool,
        1+ config_source: i8 = -1,
        0+ is_sensitive: bool,
        1+ synonyms: Vec<DescribeConfigsSynonym>,
        3+ config_type: i8,
        3+ documentation: Option<Str>,
    }

    struct DescribeConfigsSynonym {
        1+ name: Str,
        1+ value: Option<Str>,
        1+ source: i8,
    }
}
