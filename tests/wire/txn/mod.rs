//! Transactions, and the producer ids under them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod describe_producers;
mod describe_transactions;
mod end_txn;
mod init_producer_id;
mod list_transactions;
mod produce;
mod two_phase;
mod txn_offset_commit;
mod write_txn_markers;

use milena_protocol::{
    ErrorCode,
    messages::{
        AddPartitionsToTxnRequest, CreateTopicsRequest, DescribeTransactionsRequest, EndTxnRequest,
        EndTxnResponse, FindCoordinatorRequest, InitProducerIdRequest, InitProducerIdResponse,
        topics::create_topics::CreatableTopic,
        txn::{
            add_partitions_to_txn::AddPartitionsToTxnTopic, describe_transactions::TransactionState,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker, wait_until};

/// A producer as it was told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Producer {
    id: i64,
    epoch: i16,
}

fn broker() -> TestBroker {
    TestBroker::start(&[
        ("transaction.state.log.num.partitions", "3"),
        ("offsets.topic.num.partitions", "3"),
    ])
}

/// A connection, and a topic `t` of two partitions.
fn connect(broker: &TestBroker) -> RawClient {
    let mut client = broker.connect();
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 2,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    client.ask(7, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    find(&mut client);
    client
}

fn find(client: &mut RawClient) {
    let request = FindCoordinatorRequest {
        key: "x".into(),
        key_type: 1,
        ..FindCoordinatorRequest::default()
    };
    assert_eq!(client.ask(3, &request).error_code, ErrorCode::None);
}

fn initialize(id: &str, known: Option<Producer>) -> InitProducerIdRequest {
    let known = known.unwrap_or(Producer { id: -1, epoch: -1 });
    InitProducerIdRequest {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: 60_000,
        producer_id: known.id,
        producer_epoch: known.epoch,
        ..InitProducerIdRequest::default()
    }
}

/// Asks until the coordinator is there and has nothing left to end.
fn initialized(
    client: &mut RawClient,
    version: i16,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    let mut told = InitProducerIdResponse::default();
    wait_until("the coordinator to be ready", || {
        told = client.ask(version, request);
        !matches!(
            told.error_code,
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::ConcurrentTransactions
        )
    });
    told
}

fn producer(client: &mut RawClient, id: &str) -> Producer {
    let told = initialized(client, 5, &initialize(id, None));
    assert_eq!(told.error_code, ErrorCode::None);
    Producer { id: told.producer_id, epoch: told.producer_epoch }
}

/// Puts a partition of `t` into the transaction, as clients of version 1 do.
fn add(client: &mut RawClient, version: i16, id: &str, by: Producer, partition: i32) -> ErrorCode {
    let topic = AddPartitionsToTxnTopic { name: "t".into(), partitions: vec![partition] };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.into(),
        v3_and_below_producer_id: by.id,
        v3_and_below_producer_epoch: by.epoch,
        v3_and_below_topics: vec![topic],
        ..AddPartitionsToTxnRequest::default()
    };
    let told = client.ask(version, &request);
    let topics = told.results_by_topic_v3_and_below.iter();
    let codes = topics.flat_map(|topic| &topic.results_by_partition);
    codes.map(|one| one.partition_error_code).next().expect("an answer for the partition")
}

fn end(
    client: &mut RawClient,
    version: i16,
    id: &str,
    by: Producer,
    committed: bool,
) -> EndTxnResponse {
    let request = EndTxnRequest {
        transactional_id: id.into(),
        producer_id: by.id,
        producer_epoch: by.epoch,
        committed,
    };
    client.ask(version, &request)
}

fn describe(client: &mut RawClient, id: &str) -> TransactionState {
    let request = DescribeTransactionsRequest { transactional_ids: vec![Str::from(id)] };
    client.ask(0, &request).transaction_states.remove(0)
}

fn wait_for_state(client: &mut RawClient, id: &str, state: &str) {
    wait_until(state, || describe(client, id).transaction_state == state);
}
