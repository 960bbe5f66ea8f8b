//! AlterConfigs v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{
        AlterConfigsRequest,
        configs::alter_configs::{AlterConfigsResource, AlterableConfig},
    },
    wire::Str,
};
use milena_tests::TestBroker;

use super::{TOPIC, describe_configs::value_of};
use crate::topics::create_topics::create;

fn replace(name: &str, pairs: &[(&str, Option<&str>)]) -> AlterConfigsResource {
    let configs = pairs.iter().map(|(name, value)| AlterableConfig {
        name: Str::from(*name),
        value: value.map(Str::from),
    });
    AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: Str::from(name),
        configs: configs.collect(),
    }
}

#[test]
fn every_version_replaces_all_that_was_set() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for version in 0..=2 {
        for (key, other) in [("segment.ms", "retention.ms"), ("retention.ms", "segment.ms")] {
            let request = AlterConfigsRequest {
                resources: vec![replace("a", &[(key, Some("7"))])],
                ..AlterConfigsRequest::default()
            };
            let response = client.ask(version, &request);
            assert_eq!(response.responses[0].error_code, ErrorCode::None);
            assert_eq!(value_of(&mut client, TOPIC, "a", key), ("7".to_owned(), 1));
            assert_eq!(value_of(&mut client, TOPIC, "a", other).1, 5);
        }
    }
}

#[test]
fn each_resource_has_its_own_answer_and_none_is_half_done() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let mut codes = |resources: Vec<AlterConfigsResource>| -> Vec<ErrorCode> {
        let request = AlterConfigsRequest { resources, ..AlterConfigsRequest::default() };
        client.ask(2, &request).responses.iter().map(|one| one.error_code).collect()
    };
    let good = ("segment.ms", Some("7"));
    assert_eq!(
        codes(vec![replace("a", &[good, ("retention.ms", None)]), replace("x", &[good])]),
        [ErrorCode::InvalidRequest, ErrorCode::UnknownTopicOrPartition]
    );
    assert_eq!(codes(vec![replace("a", &[good, good])]), [ErrorCode::InvalidRequest]);
    assert_eq!(codes(vec![replace("a", &[]), replace("a", &[])]), [ErrorCode::InvalidRequest; 2]);
    assert_eq!(value_of(&mut client, TOPIC, "a", "segment.ms").1, 5);
}

#[test]
fn validating_changes_nothing() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let request = AlterConfigsRequest {
        resources: vec![replace("a", &[("segment.ms", Some("7"))])],
        validate_only: true,
    };
    assert_eq!(client.ask(2, &request).responses[0].error_code, ErrorCode::None);
    assert_eq!(value_of(&mut client, TOPIC, "a", "segment.ms").1, 5);
}
