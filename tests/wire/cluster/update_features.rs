//! UpdateFeatures v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{UpdateFeaturesRequest, cluster::update_features::FeatureUpdateKey},
    wire::Str,
};
use milena_tests::TestBroker;

fn update(feature: &'static str, max_version_level: i16) -> UpdateFeaturesRequest {
    let update = FeatureUpdateKey {
        feature: Str::from_static(feature),
        max_version_level,
        ..FeatureUpdateKey::default()
    };
    UpdateFeaturesRequest { feature_updates: vec![update], ..UpdateFeaturesRequest::default() }
}

#[test]
fn the_level_that_a_feature_has_can_be_set_again() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 0..=2 {
        let response = client.ask(version, &update("metadata.version", 25));
        assert_eq!(response.error_code, ErrorCode::None);
        assert_eq!(response.results.len(), usize::from(version < 2));
    }
}

#[test]
fn what_this_release_does_not_support_is_refused_as_a_whole() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 0..=2 {
        for request in [update("metadata.version", 26), update("kraft.version", 1)] {
            let response = client.ask(version, &request);
            assert_eq!(response.error_code, ErrorCode::InvalidUpdateVersion);
            assert!(response.error_message.is_some());
            assert_eq!(response.results, []);
        }
    }
}
