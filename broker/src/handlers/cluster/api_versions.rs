//! ApiVersions v0-5. v3 brings the client's name (KIP-511) and the features, v5 whom the client
//! meant to reach (KIP-1242). Left out: nothing. A version that is not served is answered by
//! `dispatch`, in version 0.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse,
        cluster::api_versions::{FinalizedFeatureKey, SupportedFeatureKey},
    },
    wire::Str,
};

use crate::{
    controller::{SUPPORTED_FEATURES, SupportedFeature},
    handlers::{Context, Software},
    metadata::Image,
    services::Services,
};

pub async fn api_versions(
    services: &Arc<Services>,
    cx: &Context,
    r: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let refused = |error_code| ApiVersionsResponse { error_code, ..Default::default() };
    if cx.version >= NAMED_FROM {
        let (name, version) = (&r.client_software_name, &r.client_software_version);
        if !is_name(name) || !is_name(version) {
            return refused(ErrorCode::InvalidRequest);
        }
        // A second one on the same connection does not rename the client.
        cx.peer
            .software
            .get_or_init(|| Software { name: name.to_string(), version: version.to_string() });
    }
    let other_cluster = r.cluster_id.is_some_and(|id| *id != *services.identity.cluster_id);
    let other_node = r.node_id != UNKNOWN_NODE && r.node_id != services.identity.node_id;
    if other_cluster || other_node {
        return refused(ErrorCode::RebootstrapRequired);
    }
    let image = services.metadata.image();
    ApiVersionsResponse {
        api_keys: services.apis.clone(),
        supported_features: supported(cx.version),
        // The record that the features are as of.
        finalized_features_epoch: image.end() - 1,
        finalized_features: finalized(&image),
        ..Default::default()
    }
}

fn supported(version: i16) -> Vec<SupportedFeatureKey> {
    let told = SUPPORTED_FEATURES.iter().filter(|f| f.min > 0 || version >= ZERO_FROM);
    let key = |feature: &SupportedFeature| SupportedFeatureKey {
        name: Str::from_static(feature.name),
        min_version: feature.min,
        max_version: feature.max,
    };
    told.map(key).collect()
}

fn finalized(image: &Image) -> Vec<FinalizedFeatureKey> {
    let key = |(name, level): (&Str, i16)| FinalizedFeatureKey {
        name: name.clone(),
        max_version_level: level,
        min_version_level: level,
    };
    image.features().map(key).collect()
}

/// Letters and digits, and dots and dashes between them.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    !text.is_empty()
        && text.chars().all(inner)
        && !text.starts_with(['.', '-'])
        && !text.ends_with(['.', '-'])
}

const NAMED_FROM: i16 = 3;
/// Older clients do not take a feature whose lowest level is 0.
const ZERO_FROM: i16 = 4;
const UNKNOWN_NODE: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_and_digits_with_dots_and_dashes_inside() {
        for good in ["a", "librdkafka", "v2.3.0", "apache-kafka-java", "1.9.2-RC1"] {
            assert!(is_name(good), "{good:?}");
        }
        for bad in ["", "a b", "a\n", "-a", "a-", ".a", "a.", "a_b", "é", "a/b"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
