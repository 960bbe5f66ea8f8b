//! UpdateFeatures, key 57.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 57, versions 0-2, flexible 0+, UpdateFeaturesRequest => UpdateFeaturesResponse;

    /// Raises or lowers the finalized features of the cluster (KIP-584).
    struct UpdateFeaturesRequest {
        0+ timeout_ms: i32 = 60000,
        0+ feature_updates: Vec<FeatureUpdateKey>,
        1+ validate_only: bool,
    }

    struct FeatureUpdateKey {
        0+  feature: Str,
        0+  max_version_level: i16,
        0-0 allow_downgrade: bool,
        1+  upgrade_type: i8 = 1,
    }

    /// Whether the features were changed.
    struct UpdateFeaturesResponse {
        0+  throttle_time_ms: i32,
        0+  error_code: ErrorCode,
        0+  error_message: Option<Str>,
        0-1 results: Vec<UpdatableFeatureResult>,
    }

    struct UpdatableFeatureResult {
        0+ feature: Str,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
