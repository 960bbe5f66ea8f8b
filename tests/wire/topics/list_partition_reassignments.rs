//! ListPartitionReassignments v0.

use milena_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use milena_tests::TestBroker;

use super::create_topics::create;

#[test]
fn nothing_is_being_moved() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let response = client.ask(0, &ListPartitionReassignmentsRequest::default());
    assert_eq!(response, ListPartitionReassignmentsResponse::default());
}
