//! DescribeTransactions v0.

use milena_protocol::{
    ErrorCode,
    messages::txn::describe_transactions::{TopicData, TransactionState},
};

use super::{add, broker, connect, describe, producer};

#[test]
fn a_transaction_is_shown_with_all_that_is_in_it() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let idle = describe(&mut client, "x");
    assert_eq!((idle.transaction_state.as_str(), idle.transaction_start_time_ms), ("Empty", -1));
    assert_eq!(add(&mut client, 3, "x", by, 1), ErrorCode::None);
    let found = describe(&mut client, "x");
    assert!(found.transaction_start_time_ms > 0);
    let expected = TransactionState {
        error_code: ErrorCode::None,
        transactional_id: "x".into(),
        transaction_state: "Ongoing".into(),
        transaction_timeout_ms: 60_000,
        transaction_start_time_ms: found.transaction_start_time_ms,
        producer_id: by.id,
        producer_epoch: by.epoch,
        topics: vec![TopicData { topic: "t".into(), partitions: vec![1] }],
    };
    assert_eq!(found, expected);
}

#[test]
fn ids_that_are_not_there_are_not_found() {
    let broker = broker();
    let mut client = connect(&broker);
    producer(&mut client, "x");
    assert_eq!(describe(&mut client, "y").error_code, ErrorCode::TransactionalIdNotFound);
    assert_eq!(describe(&mut client, "").error_code, ErrorCode::InvalidRequest);
}
