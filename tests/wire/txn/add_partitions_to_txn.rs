//! AddPartitionsToTxn v0-5.

use milena_protocol::{
    ErrorCode,
    messages::{
        AddPartitionsToTxnRequest,
        txn::add_partitions_to_txn::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction},
    },
};
use milena_tests::RawClient;

use super::{Producer, add, broker, connect, describe, end, producer};

#[test]
fn partitions_are_added_one_after_the_other_in_every_version_of_clients() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=3 {
        let id = format!("x{version}");
        let by = producer(&mut client, &id);
        assert_eq!(add(&mut client, version, &id, by, 1), ErrorCode::None);
        assert_eq!(add(&mut client, version, &id, by, 0), ErrorCode::None);
        assert_eq!(add(&mut client, version, &id, by, 1), ErrorCode::None);
        let found = describe(&mut client, &id);
        assert_eq!(found.transaction_state, "Ongoing");
        assert_eq!(found.topics[0].partitions, [0, 1]);
    }
}

#[test]
fn strangers_and_those_of_another_epoch_are_told_so() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let stranger = Producer { id: by.id + 1000, ..by };
    let newer = Producer { epoch: by.epoch + 1, ..by };
    let unknown = ErrorCode::InvalidProducerIdMapping;
    assert_eq!(add(&mut client, 3, "nobody", by, 0), unknown);
    assert_eq!(add(&mut client, 3, "x", stranger, 0), unknown);
    assert_eq!(add(&mut client, 3, "x", newer, 0), ErrorCode::ProducerFenced);
    assert_eq!(add(&mut client, 1, "x", newer, 0), ErrorCode::InvalidProducerEpoch);
    assert_eq!(add(&mut client, 3, "", by, 0), ErrorCode::InvalidRequest);
}

#[test]
fn one_partition_that_does_not_exist_leaves_all_of_them_out() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let topic = |name: &str, partitions: &[i32]| AddPartitionsToTxnTopic {
        name: name.into(),
        partitions: partitions.to_vec(),
    };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "x".into(),
        v3_and_below_producer_id: by.id,
        v3_and_below_producer_epoch: by.epoch,
        v3_and_below_topics: vec![topic("t", &[0, 2]), topic("absent", &[0])],
        ..AddPartitionsToTxnRequest::default()
    };
    let told = client.ask(3, &request).results_by_topic_v3_and_below;
    let codes: Vec<_> = told
        .iter()
        .flat_map(|topic| topic.results_by_partition.iter().map(|one| one.partition_error_code))
        .collect();
    assert_eq!(
        codes,
        [
            ErrorCode::OperationNotAttempted,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::UnknownTopicOrPartition,
        ]
    );
    assert_eq!(describe(&mut client, "x").transaction_state, "Empty");
}

#[test]
fn brokers_verify_and_add_in_batches() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for version in [4, 5] {
        let not_there = ErrorCode::TransactionAbortable;
        assert_eq!(batch(&mut client, version, by, true, &[0]), [not_there]);
        assert_eq!(batch(&mut client, version, by, false, &[0]), [ErrorCode::None]);
        assert_eq!(batch(&mut client, version, by, true, &[0, 1]), [ErrorCode::None, not_there]);
        let older = Producer { epoch: by.epoch - 1, ..by };
        assert_eq!(batch(&mut client, version, older, true, &[0]), [ErrorCode::ProducerFenced]);
        assert_eq!(end(&mut client, 4, "x", by, false).error_code, ErrorCode::None);
        super::wait_for_state(&mut client, "x", "CompleteAbort");
    }
}

fn batch(
    client: &mut RawClient,
    version: i16,
    by: Producer,
    verify_only: bool,
    partitions: &[i32],
) -> Vec<ErrorCode> {
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: "x".into(),
        producer_id: by.id,
        producer_epoch: by.epoch,
        verify_only,
        topics: vec![AddPartitionsToTxnTopic { name: "t".into(), partitions: partitions.to_vec() }],
    };
    let request = AddPartitionsToTxnRequest {
        transactions: vec![transaction],
        ..AddPartitionsToTxnRequest::default()
    };
    let told = client.ask(version, &request);
    assert_eq!((told.error_code, told.results_by_transaction.len()), (ErrorCode::None, 1));
    let transactions = told.results_by_transaction.iter();
    transactions
        .flat_map(|one| &one.topic_results)
        .flat_map(|topic| &topic.results_by_partition)
        .map(|one| one.partition_error_code)
        .collect()
}
