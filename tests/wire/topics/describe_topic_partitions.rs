//! DescribeTopicPartitions v0.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeTopicPartitionsRequest,
        topics::describe_topic_partitions::{Cursor, TopicRequest},
    },
    wire::Str,
};
use milena_tests::TestBroker;

use super::create_topics::create;

#[test]
fn all_topics_are_walked_page_by_page() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for (name, partitions) in [("b", 3), ("a", 2), ("c", 1)] {
        create(&mut client, name, partitions);
    }
    let mut request = DescribeTopicPartitionsRequest {
        response_partition_limit: 2,
        ..DescribeTopicPartitionsRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let response = client.ask(0, &request);
        let on_page: usize = response.topics.iter().map(|topic| topic.partitions.len()).sum();
        assert!((1..=2).contains(&on_page));
        for topic in response.topics {
            assert_eq!(topic.topic_authorized_operations, 3576);
            let name = topic.name.unwrap();
            seen.extend(
                topic.partitions.iter().map(|one| format!("{name}-{}", one.partition_index)),
            );
        }
        let Some(next) = response.next_cursor else { break };
        request.cursor =
            Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
    }
    assert_eq!(seen, ["a-0", "a-1", "b-0", "b-1", "b-2", "c-0"]);
}

#[test]
fn a_topic_that_is_not_there_has_an_answer_of_its_own() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "a", 1);
    let topics = ["x", "a"].map(|name| TopicRequest { name: Str::from_static(name) }).to_vec();
    let request = DescribeTopicPartitionsRequest { topics, ..Default::default() };
    let response = client.ask(0, &request);
    let [known, unknown] = &response.topics[..] else { panic!("two topics: {response:?}") };
    assert_eq!((known.topic_id, known.error_code), (id, ErrorCode::None));
    assert_eq!(unknown.error_code, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(response.next_cursor, None);
    let partition = &known.partitions[0];
    assert_eq!((partition.leader_id, &partition.isr_nodes[..]), (1, &[1][..]));
    assert_eq!(partition.eligible_leader_replicas, Some(vec![]));
}
