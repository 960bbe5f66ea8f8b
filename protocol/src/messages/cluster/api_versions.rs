//! ApiVersions, key 18.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 18, versions 0-5, flexible 3+, ApiVersionsRequest => ApiVersionsResponse;

    /// Asks which APIs the broker serves, and says who asks (KIP-511).
    struct ApiVersionsRequest {
        3+ client_software_name: Str,
        3+ client_software_version: Str,
        5+ cluster_id: Option<Str>,
        5+ node_id: i32 = -1,
    }

    /// The versions of every API served, and the features of the cluster.
    struct ApiVersionsResponse {
        0+ error_code: ErrorCode,
        0+ api_keys: Vec<ApiVersion>,
        1+ throttle_time_ms: i32,
    } tagged {
        0 => 3+ supported_features: Vec<SupportedFeatureKey>,
        1 => 3+ finalized_features_epoch: i64 = -1,
        2 => 3+ finalized_features: Vec<FinalizedFeatureKey>,
        3 => 3+ zk_migration_ready: bool,
    }

    struct ApiVersion {
        0+ api_key: i16,
        0+ min_version: i16,
        0+ max_version: i16,
    }

    struct SupportedFeatureKey {
        3+ name: Str,
        3+ min_version: i16,
        3+ max_version: i16,
    }

    struct FinalizedFeatureKey {
        3+ name: Str,
        3+ max_version_level: i16,
        3+ min_version_level: i16,
    }
}
