//! Produce v3-13 within transactions, and what the coordinator has to do with it.

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    compression::Codec,
    messages::{
        FetchRequest, ProduceRequest,
        data::produce::{PartitionProduceData, PartitionProduceResponse},
    },
    records::{Batch, BatchBuilder},
    wire::Records,
};
use milena_tests::data;

use super::*;

fn batch(by: Producer, sequence: i32, values: &[&str]) -> bytes::Bytes {
    let builder = BatchBuilder::new(Codec::None).transactional(true);
    data::fill(builder.producer(ProducerId(by.id), ProducerEpoch(by.epoch), sequence), values)
}

fn request(id: &str, partition: i32, records: bytes::Bytes) -> ProduceRequest {
    let plain = data::produce_to("t", partition, -1, records);
    ProduceRequest { transactional_id: Some(id.into()), ..plain }
}

fn ask(client: &mut RawClient, version: i16, request: &ProduceRequest) -> PartitionProduceResponse {
    client.ask(version, request).responses.remove(0).partition_responses.remove(0)
}

/// Produces one record to the first partition.
pub(super) fn produce(
    client: &mut RawClient,
    version: i16,
    by: Producer,
    sequence: i32,
) -> ErrorCode {
    ask(client, version, &request("x", 0, batch(by, sequence, &["value"]))).error_code
}

/// Where the batches begin that a reader of committed records is given.
pub(super) fn committed(client: &mut RawClient) -> Vec<i64> {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        // The markers are made much later than the records, and begin segments of their own.
        let request = FetchRequest { isolation_level: 1, ..data::fetch_of("t", 0, from) };
        let told = client.ask(11, &request).responses.remove(0).partitions.remove(0);
        let records = told.records.as_ref().and_then(Records::as_bytes).unwrap().clone();
        if records.is_empty() {
            return found;
        }
        for batch in Batch::split_all(records).map(Result::unwrap) {
            from = batch.last_offset().0 + 1;
            if !batch.is_control() {
                found.push(batch.base_offset().0);
            }
        }
    }
}

#[test]
fn a_partition_has_to_be_added_before_version_12() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for version in 3..=11 {
        let refused = produce(&mut client, version, by, 0);
        let abortable = version >= 11;
        let expected =
            if abortable { ErrorCode::TransactionAbortable } else { ErrorCode::InvalidTxnState };
        assert_eq!(refused, expected, "v{version}");
    }
    assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::None);
    for (sequence, version) in (0..).zip([3, 4, 5, 6, 8, 9, 10, 11]) {
        assert_eq!(produce(&mut client, version, by, sequence), ErrorCode::None, "v{version}");
    }
    assert!(committed(&mut client).is_empty());
    assert_eq!(end(&mut client, 3, "x", by, true).error_code, ErrorCode::None);
    wait_until("the marker", || committed(&mut client).len() == 8);

    // The transaction is over, and nobody has begun another.
    assert_eq!(produce(&mut client, 9, by, 8), ErrorCode::InvalidTxnState);
}

#[test]
fn from_version_12_on_a_partition_is_added_by_writing_to_it() {
    let broker = broker();
    let mut client = connect(&broker);
    let mut by = producer(&mut client, "x");
    assert_eq!(produce(&mut client, 12, by, 5), ErrorCode::OutOfOrderSequenceNumber);
    let id = broker.services().replicas.topic_named("t").unwrap().id;
    for (round, version) in [(0, 12), (1, 13), (2, 12)] {
        let mut first = request("x", 0, batch(by, 0, &["value"]));
        first.topic_data[0].topic_id = id;
        assert_eq!(ask(&mut client, version, &first).error_code, ErrorCode::None, "{round}");
        let mut second = request("x", 1, batch(by, 0, &["value"]));
        second.topic_data[0].topic_id = id;
        assert_eq!(ask(&mut client, version, &second).error_code, ErrorCode::None, "{round}");
        let ended = end(&mut client, 5, "x", by, round != 1);
        assert_eq!((ended.error_code, ended.producer_epoch), (ErrorCode::None, by.epoch + 1));
        let next = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
        wait_for_state(
            &mut client,
            "x",
            if round == 1 { "CompleteAbort" } else { "CompleteCommit" },
        );
        assert_eq!(produce(&mut client, 12, by, 1), ErrorCode::InvalidProducerEpoch);
        by = next;
    }
    let committed = committed(&mut client);
    assert_eq!(committed, [0, 2, 4], "the reader leaves the one in the middle out by itself");
}

#[test]
fn the_next_transaction_may_begin_while_the_last_one_ends() {
    let broker = broker();
    let mut client = connect(&broker);
    let mut by = producer(&mut client, "x");
    for round in 0..20 {
        let mut code = ErrorCode::NotEnoughReplicas;
        wait_until("the transaction to begin", || {
            code = produce(&mut client, 12, by, 0);
            code != ErrorCode::NotEnoughReplicas
        });
        assert_eq!(code, ErrorCode::None, "{round}");
        let ended = end(&mut client, 5, "x", by, true);
        assert_eq!(ended.error_code, ErrorCode::None, "{round}");
        by = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
    }
    wait_until("the last marker", || committed(&mut client).len() == 20);
}

#[test]
fn what_one_connection_sends_is_appended_in_order_whoever_is_asked_meanwhile() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let mut started = Vec::new();
    for sequence in 0..10 {
        let transactional = request("x", 0, batch(by, sequence, &["value"]));
        started.push(client.start(12, &transactional));
        let other = data::produce_to("t", 0, -1, data::batch(&["of no transaction"]));
        started.push(client.start(12, &other));
    }
    for (offset, waiting) in (0..).zip(started) {
        let told = client.finish::<ProduceRequest>(12, waiting);
        let told = &told.responses[0].partition_responses[0];
        assert_eq!((told.error_code, told.base_offset), (ErrorCode::None, offset));
    }
}

#[test]
fn batches_of_one_request_are_asked_about_together() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let mut both = request("x", 0, batch(by, 0, &["value"]));
    let records = Some(Records::from(batch(by, 0, &["value"])));
    both.topic_data[0].partition_data.push(PartitionProduceData { index: 1, records });
    both.topic_data[0].partition_data.push(PartitionProduceData { index: 7, records: None });
    let mut codes = |version| -> Vec<ErrorCode> {
        let told = client.ask(version, &both).responses.remove(0).partition_responses;
        told.iter().map(|one| one.error_code).collect()
    };
    let (refused, missing) = (ErrorCode::InvalidTxnState, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(codes(9), [refused, refused, missing]);
    assert_eq!(codes(12), [ErrorCode::None, ErrorCode::None, missing]);
    let open = &describe(&mut broker.connect(), "x").topics;
    assert_eq!(open.iter().map(|topic| topic.partitions.clone()).collect::<Vec<_>>(), [[0, 1]]);
}

#[test]
fn a_batch_of_another_producer_or_of_none_is_refused() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::None);
    let zombie = Producer { epoch: by.epoch - 1, ..by };
    let stranger = Producer { id: by.id + 1000, ..by };
    for version in [9, 11, 12] {
        let mut of = |producer| produce(&mut client, version, producer, 0);
        assert_eq!(of(stranger), ErrorCode::InvalidProducerIdMapping, "v{version}");
        if zombie.epoch >= 0 {
            assert_eq!(of(zombie), ErrorCode::InvalidProducerEpoch, "v{version}");
        }
    }
    let nobody = data::produce_to("t", 0, -1, batch(by, 0, &["value"]));
    let told = ask(&mut client, 12, &nobody);
    assert_eq!(told.error_code, ErrorCode::TransactionalIdAuthorizationFailed);
    let mut two = request("x", 0, batch(by, 0, &["value"]));
    let records = Some(Records::from(batch(stranger, 0, &["value"])));
    two.topic_data[0].partition_data.push(PartitionProduceData { index: 1, records });
    let told = client.ask(12, &two).responses.remove(0).partition_responses;
    assert!(told.iter().all(|one| one.error_code == ErrorCode::InvalidProducerIdMapping));

    assert_eq!(produce(&mut client, 12, by, 0), ErrorCode::None);
    let plain = data::sequenced(by.id, by.epoch, 1, &["of no transaction"]);
    assert_eq!(
        ask(&mut client, 12, &request("x", 0, plain)).error_code,
        ErrorCode::InvalidTxnState
    );
    assert!(committed(&mut client).is_empty());
}

#[test]
fn where_nothing_is_verified_nothing_is_asked() {
    let broker = TestBroker::start(&[
        ("transaction.state.log.num.partitions", "3"),
        ("transaction.partition.verification.enable", "false"),
    ]);
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    assert_eq!(produce(&mut client, 11, by, 0), ErrorCode::None);
    assert_eq!(describe(&mut client, "x").transaction_state, "Empty");
    assert_eq!(produce(&mut client, 12, Producer { epoch: by.epoch, ..by }, 1), ErrorCode::None);
}

#[test]
fn without_an_answer_the_order_is_the_same() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for sequence in 0..10 {
        let transactional = request("x", 0, batch(by, sequence, &["value"]));
        client.start(12, &ProduceRequest { acks: 0, ..transactional });
    }
    assert_eq!(produce(&mut client, 12, by, 10), ErrorCode::None);
    assert_eq!(end(&mut client, 5, "x", by, true).error_code, ErrorCode::None);
    wait_until("the marker", || committed(&mut client) == (0..11).collect::<Vec<_>>());
}
