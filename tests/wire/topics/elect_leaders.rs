//! ElectLeaders v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{ElectLeadersRequest, topics::elect_leaders::TopicPartitions},
    wire::Str,
};
use milena_tests::TestBroker;

use super::create_topics::create;

#[test]
fn the_one_broker_leads_already() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    for version in 0..=2 {
        let of = |topic, partitions: &[i32]| TopicPartitions {
            topic: Str::from_static(topic),
            partitions: partitions.to_vec(),
        };
        let asked = vec![of("a", &[0, 1]), of("x", &[0])];
        let request =
            ElectLeadersRequest { topic_partitions: Some(asked), ..ElectLeadersRequest::default() };
        let response = client.ask(version, &request);
        let codes: Vec<Vec<_>> = response
            .replica_election_results
            .iter()
            .map(|topic| topic.partition_result.iter().map(|one| one.error_code).collect())
            .collect();
        assert_eq!(
            codes,
            [
                vec![ErrorCode::ElectionNotNeeded, ErrorCode::UnknownTopicOrPartition],
                vec![ErrorCode::UnknownTopicOrPartition]
            ]
        );
        let all = ElectLeadersRequest { topic_partitions: None, ..Default::default() };
        assert_eq!(client.ask(version, &all).replica_election_results, []);
    }
    let odd = ElectLeadersRequest { election_type: 9, ..ElectLeadersRequest::default() };
    assert_eq!(client.ask(2, &odd).error_code, ErrorCode::InvalidRequest);
}
