//! DescribeCluster v0-2.

use milena_protocol::{ErrorCode, messages::DescribeClusterRequest};
use milena_tests::TestBroker;

#[test]
fn every_version_shows_the_one_broker() {
    let broker = TestBroker::start(&[("node.id", "3")]);
    let mut client = broker.connect();
    for version in 0..=2 {
        for include in [false, true] {
            let request = DescribeClusterRequest {
                include_cluster_authorized_operations: include,
                include_fenced_brokers: version >= 2 && include,
                ..DescribeClusterRequest::default()
            };
            let response = client.ask(version, &request);
            assert_eq!(response.error_code, ErrorCode::None);
            assert_eq!(*response.cluster_id, *broker.services().identity.cluster_id);
            assert_eq!((response.controller_id, response.endpoint_type), (3, 1));
            let [seen] = &response.brokers[..] else { panic!("one broker: {response:?}") };
            assert_eq!((seen.broker_id, seen.host.as_str()), (3, "127.0.0.1"));
            assert_eq!(seen.port, i32::from(broker.address().port()));
            let operations = if include { 8096 } else { i32::MIN };
            assert_eq!(response.cluster_authorized_operations, operations);
        }
    }
}

#[test]
fn controllers_are_not_to_be_found_at_a_brokers_listener() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for (endpoint_type, code) in
        [(2, ErrorCode::MismatchedEndpointType), (9, ErrorCode::UnsupportedEndpointType)]
    {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        let response = client.ask(1, &request);
        assert_eq!(response.error_code, code);
        assert!(response.error_message.is_some());
    }
}
