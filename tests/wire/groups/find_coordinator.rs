//! FindCoordinator v0-6.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeConfigsRequest, FindCoordinatorRequest, MetadataRequest,
        configs::describe_configs::DescribeConfigsResource,
    },
    wire::Str,
};
use milena_tests::TestBroker;

#[test]
fn groups_are_found_here_in_every_version() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let port = i32::from(broker.address().port());
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version < 4 {
            request.key = Str::from_static("a");
            let found = client.ask(version, &request);
            let place = (found.error_code, found.node_id, found.host.as_str(), found.port);
            assert_eq!(place, (ErrorCode::None, 1, "127.0.0.1", port));
        } else {
            request.coordinator_keys = ["a", "b"].map(Str::from_static).to_vec();
            let found = client.ask(version, &request);
            for (found, key) in found.coordinators.iter().zip(["a", "b"]) {
                let place = (found.key.as_str(), found.error_code, found.node_id, found.port);
                assert_eq!(place, (key, ErrorCode::None, 1, port));
            }
        }
    }
}

#[test]
fn the_first_search_creates_the_topic_that_groups_live_in() {
    let broker = TestBroker::start(&[("offsets.topic.num.partitions", "7")]);
    let mut client = broker.connect();
    client.ask(0, &FindCoordinatorRequest { key: "a".into(), ..Default::default() });
    let all = client.ask(13, &MetadataRequest { topics: None, ..Default::default() });
    let topic = &all.topics[0];
    assert_eq!(topic.name.as_deref(), Some("__consumer_offsets"));
    assert_eq!((topic.is_internal, topic.partitions.len()), (true, 7));
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "__consumer_offsets".into(),
        configuration_keys: Some(vec!["cleanup.policy".into(), "retention.ms".into()]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let told = client.ask(4, &request);
    let values: Vec<_> =
        told.results[0].configs.iter().map(|one| one.value.as_deref().unwrap_or("")).collect();
    assert_eq!(values, ["compact", "-1"]);
}

#[test]
fn transactions_are_found_here_and_have_a_topic_of_their_own() {
    let broker = TestBroker::start(&[("transaction.state.log.num.partitions", "7")]);
    let mut client = broker.connect();
    for version in 1..=6 {
        let mut request = FindCoordinatorRequest { key_type: 1, ..Default::default() };
        let found = if version < 4 {
            request.key = Str::from_static("a");
            let found = client.ask(version, &request);
            (found.error_code, found.node_id)
        } else {
            request.coordinator_keys = vec![Str::from_static("a")];
            let found = client.ask(version, &request).coordinators.remove(0);
            (found.error_code, found.node_id)
        };
        assert_eq!(found, (ErrorCode::None, 1));
    }
    let all = client.ask(13, &MetadataRequest { topics: None, ..Default::default() });
    let topic = &all.topics[0];
    assert_eq!(topic.name.as_deref(), Some("__transaction_state"));
    assert_eq!((topic.is_internal, topic.partitions.len()), (true, 7));
}

#[test]
fn other_coordinators_are_not_there_yet() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 1..=6 {
        for (key_type, least, code) in
            [(2, 6, ErrorCode::CoordinatorNotAvailable), (9, 1, ErrorCode::InvalidRequest)]
        {
            let expected = if version < least { ErrorCode::InvalidRequest } else { code };
            let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
            let found = if version < 4 {
                request.key = Str::from_static("a");
                let found = client.ask(version, &request);
                (found.error_code, found.node_id)
            } else {
                request.coordinator_keys = vec![Str::from_static("a")];
                let found = client.ask(version, &request).coordinators.remove(0);
                (found.error_code, found.node_id)
            };
            assert_eq!(found, (expected, -1));
        }
    }
}
