//! IncrementalAlterConfigs v0-1.

use milena_protocol::{
    ErrorCode,
    messages::{
        IncrementalAlterConfigsRequest,
        configs::incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::{BROKER, TOPIC, describe_configs::value_of};
use crate::topics::create_topics::create;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

fn alter(
    client: &mut RawClient,
    version: i16,
    resource: (i8, &str),
    edits: &[(&str, i8, Option<&str>)],
) -> ErrorCode {
    let configs = edits.iter().map(|(name, config_operation, value)| AlterableConfig {
        name: Str::from(*name),
        config_operation: *config_operation,
        value: value.map(Str::from),
    });
    let resource = AlterConfigsResource {
        resource_type: resource.0,
        resource_name: Str::from(resource.1),
        configs: configs.collect(),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    client.ask(version, &request).responses.remove(0).error_code
}

#[test]
fn every_version_sets_and_removes_single_settings() {
    let mut broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for version in 0..=1 {
        let set = [("segment.ms", SET, Some("7")), ("retention.ms", SET, Some("8"))];
        assert_eq!(alter(&mut client, version, (TOPIC, "a"), &set), ErrorCode::None);
        let remove = [("retention.ms", DELETE, None)];
        assert_eq!(alter(&mut client, version, (TOPIC, "a"), &remove), ErrorCode::None);
        assert_eq!(value_of(&mut client, TOPIC, "a", "segment.ms"), ("7".to_owned(), 1));
        assert_eq!(value_of(&mut client, TOPIC, "a", "retention.ms").1, 5);
    }
    broker.restart();
    let mut client = broker.connect();
    assert_eq!(value_of(&mut client, TOPIC, "a", "segment.ms"), ("7".to_owned(), 1));
}

#[test]
fn what_cannot_be_set_is_refused() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for (edit, code) in [
        (("no.such", SET, Some("1")), ErrorCode::InvalidConfig),
        (("segment.bytes", SET, Some("-1")), ErrorCode::InvalidConfig),
        (("cleanup.policy", APPEND, Some("shred")), ErrorCode::InvalidConfig),
        (("segment.ms", APPEND, Some("1")), ErrorCode::InvalidConfig),
        (("segment.ms", SET, None), ErrorCode::InvalidRequest),
        (("segment.ms", 9, Some("1")), ErrorCode::InvalidRequest),
    ] {
        assert_eq!(alter(&mut client, 1, (TOPIC, "a"), &[edit]), code, "{edit:?}");
    }
    let edit = [("segment.ms", SET, Some("1"))];
    for (resource, code) in [
        ((TOPIC, "x"), ErrorCode::UnknownTopicOrPartition),
        ((BROKER, "9"), ErrorCode::InvalidRequest),
        ((99, "a"), ErrorCode::InvalidRequest),
    ] {
        assert_eq!(alter(&mut client, 1, resource, &edit), code, "{resource:?}");
    }
}

#[test]
fn a_broker_is_changed_while_it_runs() {
    let mut broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let key = "message.max.bytes";
    let set = |client: &mut RawClient, name: &str, value| {
        alter(client, 1, (BROKER, name), &[(key, SET, Some(value))])
    };
    assert_eq!(set(&mut client, "", "5000"), ErrorCode::None);
    assert_eq!(value_of(&mut client, BROKER, "", key), ("5000".to_owned(), 3));
    assert_eq!(value_of(&mut client, BROKER, "1", key), ("5000".to_owned(), 3));
    assert_eq!(set(&mut client, "1", "6000"), ErrorCode::None);
    assert_eq!(value_of(&mut client, BROKER, "1", key), ("6000".to_owned(), 2));
    assert_eq!(value_of(&mut client, TOPIC, "a", "max.message.bytes"), ("6000".to_owned(), 2));
    broker.restart();
    let mut client = broker.connect();
    assert_eq!(value_of(&mut client, BROKER, "1", key), ("6000".to_owned(), 2));
    let listeners = [("listeners", SET, Some("PLAINTEXT://:1"))];
    assert_eq!(alter(&mut client, 1, (BROKER, "1"), &listeners), ErrorCode::InvalidConfig);
}
