//! WriteTxnMarkers v1-2.

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    compression::Codec,
    messages::{
        DescribeProducersRequest, ProduceRequest, WriteTxnMarkersRequest,
        txn::{
            describe_producers::TopicRequest,
            write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
        },
    },
    records::BatchBuilder,
};
use milena_tests::{TestBroker, data};

use super::{broker, connect, producer};

#[test]
fn each_partition_has_its_own_answer() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for version in [1, 2] {
        let topic = |name: &str, partitions: &[i32]| WritableTxnMarkerTopic {
            name: name.into(),
            partition_indexes: partitions.to_vec(),
        };
        let marker = WritableTxnMarker {
            producer_id: by.id,
            producer_epoch: by.epoch,
            transaction_result: false,
            topics: vec![topic("t", &[0, 5]), topic("absent", &[0])],
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let told = client.ask(version, &request).markers.remove(0);
        assert_eq!(told.producer_id, by.id);
        let codes: Vec<_> = told
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| one.error_code))
            .collect();
        let absent = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(codes, [ErrorCode::None, absent, absent]);
    }
}

#[test]
fn a_transaction_that_no_coordinator_knows_is_ended_where_it_hangs() {
    let broker = TestBroker::start(&[("transaction.partition.verification.enable", "false")]);
    let mut client = broker.connect();
    data::create(&mut client, "t", 1, &[]);
    let asked = DescribeProducersRequest {
        topics: vec![TopicRequest { name: "t".into(), partition_indexes: vec![0] }],
    };
    let mut first = 0;
    for (version, producer_id) in [(1, 70), (2, 71)] {
        let builder = BatchBuilder::new(Codec::None).transactional(true);
        let builder = builder.producer(ProducerId(producer_id), ProducerEpoch(3), 0);
        let records = data::fill(builder, &["hangs"]);
        let plain = data::produce_to("t", 0, -1, records);
        let request = ProduceRequest { transactional_id: Some("x".into()), ..plain };
        let told = client.ask(9, &request).responses.remove(0).partition_responses.remove(0);
        assert_eq!(told.error_code, ErrorCode::None);
        let mut open = || {
            let found = client.ask(0, &asked).topics.remove(0).partitions.remove(0);
            let starts = found.active_producers.iter().map(|one| one.current_txn_start_offset);
            starts.max().unwrap()
        };
        assert_eq!(open(), first);
        let marker = WritableTxnMarker {
            producer_id,
            producer_epoch: 3,
            transaction_result: false,
            topics: vec![WritableTxnMarkerTopic { name: "t".into(), partition_indexes: vec![0] }],
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let told = client.ask(version, &request).markers.remove(0);
        assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::None);
        let found = client.ask(0, &asked).topics.remove(0).partitions.remove(0);
        assert!(found.active_producers.iter().all(|one| one.current_txn_start_offset == -1));
        first += 2;
    }
}
