//! UpdateFeatures v0-2. v1 brings the type of upgrade and validate-only, v2 leaves the results of
//! single features out: all are made, or none. Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        UpdateFeaturesRequest, UpdateFeaturesResponse,
        cluster::update_features::UpdatableFeatureResult,
    },
    wire::Str,
};

use crate::{
    controller::FeatureUpdate,
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn update_features(
    services: &Arc<Services>,
    cx: &Context,
    r: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let names: Vec<Str> = r.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let updates = r.feature_updates.into_iter().map(|update| FeatureUpdate {
        name: update.feature,
        level: update.max_version_level,
        upgrade_type: match cx.version {
            0 if update.allow_downgrade => SAFE_DOWNGRADE,
            0 => UPGRADE,
            _ => update.upgrade_type,
        },
    });
    let outcome = services.controller.update_features(updates.collect(), r.validate_only).await;
    let result = |feature| UpdatableFeatureResult { feature, ..UpdatableFeatureResult::default() };
    UpdateFeaturesResponse {
        error_code: outcome.code(),
        error_message: outcome.as_ref().err().map(|refusal| Str::from(refusal.to_string())),
        results: match outcome {
            Ok(()) if cx.version < RESULTS_UNTIL => names.into_iter().map(result).collect(),
            _ => Vec::new(),
        },
        ..UpdateFeaturesResponse::default()
    }
}

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const RESULTS_UNTIL: i16 = 2;
