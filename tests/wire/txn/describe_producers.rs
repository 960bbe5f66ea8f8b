//! DescribeProducers v0.

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    compression::Codec,
    messages::{
        DescribeProducersRequest,
        txn::describe_producers::{PartitionResponse, ProducerState, TopicRequest},
    },
    records::BatchBuilder,
    wire::Str,
};
use milena_storage::{log::Origin, producers::EndMarker};
use milena_tests::{RawClient, TestBroker, data};

fn describe(client: &mut RawClient, partition: i32) -> PartitionResponse {
    let topic = TopicRequest { name: Str::from_static("t"), partition_indexes: vec![partition] };
    let response = client.ask(0, &DescribeProducersRequest { topics: vec![topic] });
    response.topics[0].partitions[0].clone()
}

#[test]
fn each_producer_is_told_with_its_last_batch_and_its_open_transaction() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    data::create(&mut client, "t", 1, &[]);
    assert_eq!(describe(&mut client, 0), PartitionResponse::default());

    data::produce(&mut client, "t", 0, data::sequenced(5, 2, 0, &["a", "b"]));
    let partition = broker.services().replicas.topic_named("t").unwrap().partition(0).unwrap();
    for producer in [6, 7] {
        let builder = BatchBuilder::new(Codec::None).transactional(true);
        let builder = builder.producer(ProducerId(producer), ProducerEpoch(1), 9);
        let records = data::fill(builder, &["c"]);
        partition.append_as(Origin::Coordinator, records, data::MADE).unwrap();
    }
    let marker = EndMarker {
        producer: ProducerId(7),
        epoch: ProducerEpoch(2),
        coordinator_epoch: 4,
        timestamp: data::MADE,
        commit: false,
    };
    partition.append_marker(&marker, 2, data::MADE).unwrap();
    let state = |producer_id, producer_epoch, last_sequence| ProducerState {
        producer_id,
        producer_epoch,
        last_sequence,
        last_timestamp: data::MADE.0,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    };
    let expected = [
        state(5, 2, 1),
        ProducerState { current_txn_start_offset: 2, ..state(6, 1, 9) },
        ProducerState { coordinator_epoch: 4, ..state(7, 2, -1) },
    ];
    assert_eq!(describe(&mut client, 0).active_producers, expected);
}

#[test]
fn a_partition_that_does_not_exist_has_no_producers() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    data::create(&mut client, "t", 1, &[]);
    let missing = describe(&mut client, 1);
    assert_eq!(missing.error_code, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(missing.active_producers, []);
}
