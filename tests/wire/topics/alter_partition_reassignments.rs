//! AlterPartitionReassignments v0-1.

use milena_protocol::{
    ErrorCode,
    messages::{
        AlterPartitionReassignmentsRequest,
        topics::alter_partition_reassignments::{ReassignablePartition, ReassignableTopic},
    },
    wire::Str,
};
use milena_tests::TestBroker;

use super::create_topics::create;

#[test]
fn a_partition_can_only_stay_where_it_is() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let of = |partition_index, replicas: Option<&[i32]>| ReassignablePartition {
        partition_index,
        replicas: replicas.map(<[_]>::to_vec),
    };
    let partitions = vec![of(0, Some(&[1])), of(0, Some(&[2])), of(0, None), of(7, Some(&[1]))];
    let request = AlterPartitionReassignmentsRequest {
        topics: vec![
            ReassignableTopic { name: Str::from_static("a"), partitions },
            ReassignableTopic { name: Str::from_static("x"), partitions: vec![of(0, None)] },
        ],
        ..AlterPartitionReassignmentsRequest::default()
    };
    for version in 0..=1 {
        let response = client.ask(version, &request);
        assert_eq!(response.error_code, ErrorCode::None);
        let codes: Vec<_> = response
            .responses
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| one.error_code))
            .collect();
        assert_eq!(
            codes,
            [
                ErrorCode::None,
                ErrorCode::InvalidReplicaAssignment,
                ErrorCode::NoReassignmentInProgress,
                ErrorCode::UnknownTopicOrPartition,
                ErrorCode::UnknownTopicOrPartition,
            ]
        );
    }
}
