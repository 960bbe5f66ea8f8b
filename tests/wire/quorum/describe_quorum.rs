//! DescribeQuorum v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeQuorumRequest,
        quorum::describe_quorum::{PartitionData, TopicData},
    },
    wire::Str,
};
use milena_tests::TestBroker;

use crate::topics::create_topics::create;

fn of(topic: &'static str, partition_index: i32) -> DescribeQuorumRequest {
    let topic = TopicData {
        topic_name: Str::from_static(topic),
        partitions: vec![PartitionData { partition_index }],
    };
    DescribeQuorumRequest { topics: vec![topic] }
}

#[test]
fn the_quorum_is_this_node_alone() {
    let broker = TestBroker::start(&[("node.id", "3")]);
    let mut client = broker.connect();
    let mut last = 0;
    for version in 0..=2 {
        create(&mut client, &format!("v{version}"), 1);
        let response = client.ask(version, &of("__cluster_metadata", 0));
        assert_eq!(response.error_code, ErrorCode::None);
        let state = &response.topics[0].partitions[0];
        assert_eq!(
            (state.error_code, state.leader_id, state.leader_epoch),
            (ErrorCode::None, 3, 1)
        );
        assert!(state.high_watermark > last);
        last = state.high_watermark;
        let [voter] = &state.current_voters[..] else { panic!("one voter: {state:?}") };
        assert_eq!((voter.replica_id, voter.log_end_offset), (3, last));
        assert_eq!(voter.replica_directory_id.is_zero(), version < 2);
        assert_eq!(state.observers, []);
        assert_eq!(response.nodes.len(), usize::from(version >= 2));
    }
}

#[test]
fn no_other_partition_has_a_quorum() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for (topic, index) in [("__cluster_metadata", 1), ("a", 0)] {
        let response = client.ask(2, &of(topic, index));
        let state = &response.topics[0].partitions[0];
        assert_eq!(state.error_code, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(state.partition_index, index);
    }
}
