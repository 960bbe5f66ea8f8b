//! DescribeConfigs v1-4.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeConfigsRequest,
        configs::describe_configs::{
            DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::{BROKER, TOPIC};
use crate::topics::create_topics::{config, create, request as create_request, topic};

fn resource(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    DescribeConfigsResource {
        resource_type,
        resource_name: Str::from(name),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| Str::from(*key)).collect()),
    }
}

/// What is set for one resource.
pub(super) fn describe(
    client: &mut RawClient,
    version: i16,
    asked: DescribeConfigsResource,
) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest {
        resources: vec![asked],
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    client.ask(version, &request).results.remove(0)
}

pub(super) fn value_of(client: &mut RawClient, kind: i8, name: &str, key: &str) -> (String, i8) {
    let result = describe(client, 4, resource(kind, name, Some(&[key])));
    let config = result.configs.into_iter().next().expect("the key");
    (config.value.expect("a value").to_string(), config.config_source)
}

fn of<'a>(result: &'a DescribeConfigsResult, key: &str) -> &'a DescribeConfigsResourceResult {
    result.configs.iter().find(|config| config.name == key).expect("the key")
}

#[test]
fn every_version_shows_a_topics_settings_and_where_they_come_from() {
    let broker = TestBroker::start(&[("log.retention.minutes", "5")]);
    let mut client = broker.connect();
    let mut wanted = topic("a");
    wanted.configs = vec![config("retention.ms", "7")];
    client.ask(7, &create_request(vec![wanted]));
    for version in 1..=4 {
        let result = describe(&mut client, version, resource(TOPIC, "a", None));
        assert_eq!(result.error_code, ErrorCode::None);
        assert_eq!((result.resource_type, result.resource_name.as_str()), (TOPIC, "a"));
        let found = of(&result, "retention.ms");
        assert_eq!((found.value.as_deref(), found.config_source), (Some("7"), 1));
        assert!(!found.read_only && !found.is_sensitive);
        let chain: Vec<_> = found
            .synonyms
            .iter()
            .map(|one| (one.name.as_str(), one.value.as_deref().unwrap(), one.source))
            .collect();
        assert_eq!(
            chain,
            [
                ("retention.ms", "7", 1),
                ("log.retention.minutes", "5", 4),
                ("log.retention.hours", "168", 5)
            ]
        );
        assert_eq!(found.config_type, if version >= 3 { 5 } else { 0 });
        assert_eq!(found.documentation.is_some(), version >= 3);
        assert_eq!(of(&result, "cleanup.policy").config_source, 5);
    }
}

#[test]
fn only_the_keys_asked_for_are_shown() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let keys = &["segment.ms", "no.such"][..];
    let result = describe(&mut client, 4, resource(TOPIC, "a", Some(keys)));
    let names: Vec<_> = result.configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["segment.ms"]);
    let all = describe(&mut client, 4, resource(TOPIC, "a", Some(&[])));
    assert!(all.configs.len() > 30);
}

#[test]
fn a_broker_shows_what_can_be_changed_and_what_not() {
    let broker = TestBroker::start(&[("node.id", "3"), ("message.max.bytes", "5000")]);
    let mut client = broker.connect();
    let result = describe(&mut client, 4, resource(BROKER, "3", None));
    let static_one = of(&result, "listeners");
    assert!(static_one.read_only && static_one.config_source == 4);
    let dynamic = of(&result, "message.max.bytes");
    assert!(!dynamic.read_only && dynamic.config_source == 4);
    assert_eq!(dynamic.value.as_deref(), Some("5000"));
    let for_all = describe(&mut client, 4, resource(BROKER, "", None));
    assert_eq!((for_all.error_code, for_all.configs.len()), (ErrorCode::None, 0));
}

#[test]
fn each_resource_has_its_own_answer_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let resources = vec![
        resource(TOPIC, "x", None),
        resource(TOPIC, "a", None),
        resource(TOPIC, "a/b", None),
        resource(BROKER, "2", None),
        resource(99, "a", None),
        resource(TOPIC, "a", None),
    ];
    let request = DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() };
    let codes: Vec<_> =
        client.ask(4, &request).results.iter().map(|result| result.error_code).collect();
    assert_eq!(
        codes,
        [
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::None,
            ErrorCode::InvalidTopicException,
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidRequest,
            ErrorCode::None,
        ]
    );
}

#[test]
fn a_small_question_for_the_same_over_and_over_has_no_huge_answer() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let resources = vec![resource(TOPIC, "a", None); 10_000];
    let request = DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() };
    let results = client.ask(4, &request).results;
    let shown = results.iter().filter(|result| result.error_code == ErrorCode::None).count();
    assert_eq!((results.len(), shown), (10_000, 101));
    assert_eq!(results.last().map(|last| last.error_code), Some(ErrorCode::InvalidRequest));
}
