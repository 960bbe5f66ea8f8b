//! UpdateFeatures v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{
        ApiVersionsRequest, UpdateFeaturesRequest, cluster::update_features::FeatureUpdateKey,
    },
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

fn named() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    }
}

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

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
fn a_level_is_lowered_and_raised_again_by_whoever_says_that_it_is_meant() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for (level, upgrade_type, code) in [
        (0, UPGRADE, ErrorCode::InvalidUpdateVersion),
        (0, SAFE_DOWNGRADE, ErrorCode::None),
        (0, SAFE_DOWNGRADE, ErrorCode::None),
        (2, SAFE_DOWNGRADE, ErrorCode::InvalidUpdateVersion),
        (1, UPGRADE, ErrorCode::None),
        (2, UPGRADE, ErrorCode::None),
    ] {
        let mut request = update("transaction.version", level);
        for update in &mut request.feature_updates {
            update.upgrade_type = upgrade_type;
        }
        assert_eq!(client.ask(1, &request).error_code, code, "to {level} by {upgrade_type}");
        if code == ErrorCode::None {
            let told = client.ask(4, &named()).finalized_features;
            let found = told.iter().find(|one| one.name == "transaction.version");
            assert_eq!(found.map_or(0, |one| one.max_version_level), level);
        }
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
