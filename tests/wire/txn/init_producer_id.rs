//! InitProducerId v0-5; `two_phase` has v6.

use std::{collections::BTreeSet, time::Duration};

use milena_protocol::{ErrorCode, messages::InitProducerIdRequest};
use milena_tests::{TestBroker, TestClock};

use super::{Producer, add, broker, connect, describe, initialize, initialized, producer};

#[test]
fn every_producer_has_an_id_of_its_own_also_after_a_restart() {
    let mut broker = TestBroker::start(&[]);
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let mut client = broker.connect();
        for version in 0..=5 {
            let response = client.ask(version, &InitProducerIdRequest::default());
            assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::None, 0));
            assert!(ids.insert(response.producer_id), "given twice: {}", response.producer_id);
        }
        broker.restart();
    }
    assert!(ids.first().is_some_and(|&first| first >= 0));
}

#[test]
fn whoever_takes_up_a_transactional_id_has_its_producer_in_the_next_epoch_also_after_a_restart() {
    let mut broker = broker();
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    assert_eq!(first.epoch, 0);
    for (version, epoch) in (0..=5).zip(1..) {
        let told = initialized(&mut client, version, &initialize("x", None));
        assert_eq!((told.error_code, told.producer_id), (ErrorCode::None, first.id));
        assert_eq!(told.producer_epoch, epoch);
    }
    broker.restart();
    let mut client = broker.connect();
    assert_eq!(producer(&mut client, "x"), Producer { id: first.id, epoch: 7 });
    assert_ne!(producer(&mut client, "y").id, first.id);
}

#[test]
fn a_producer_that_was_there_before_goes_on_or_is_fenced() {
    let broker = broker();
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    let next = initialized(&mut client, 5, &initialize("x", Some(first)));
    assert_eq!((next.producer_id, next.producer_epoch), (first.id, 1));
    // The answer got lost: it asks again as who it was.
    let again = initialized(&mut client, 5, &initialize("x", Some(first)));
    assert_eq!((again.producer_id, again.producer_epoch), (first.id, 1));
    let other = producer(&mut client, "x");
    assert_eq!(other.epoch, 2);
    for (version, code) in [(3, ErrorCode::InvalidProducerEpoch), (4, ErrorCode::ProducerFenced)] {
        let told = initialized(&mut client, version, &initialize("x", Some(first)));
        assert_eq!((told.error_code, told.producer_id), (code, -1));
    }
}

#[test]
fn a_transaction_that_is_open_is_aborted_before_the_next_producer_comes() {
    let broker = broker();
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    assert_eq!(add(&mut client, 3, "x", first, 0), ErrorCode::None);
    let told = client.ask(5, &initialize("x", None));
    assert_eq!(told.error_code, ErrorCode::ConcurrentTransactions);
    let second = producer(&mut client, "x");
    assert_eq!(second, Producer { id: first.id, epoch: 2 });
    assert_eq!(add(&mut client, 3, "x", first, 0), ErrorCode::ProducerFenced);
    assert_eq!(add(&mut client, 1, "x", first, 0), ErrorCode::InvalidProducerEpoch);
}

#[test]
fn a_transaction_whose_time_is_up_is_aborted_and_its_producer_fenced() {
    let (clock, hands) = TestClock::manual();
    let broker = TestBroker::start_in(clock, &[("transaction.state.log.num.partitions", "1")]);
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    assert_eq!(add(&mut client, 3, "x", first, 0), ErrorCode::None);
    hands.advance(Duration::from_millis(59_000));
    assert_eq!(add(&mut client, 3, "x", first, 1), ErrorCode::None);
    milena_tests::wait_until("the transaction to be aborted", || {
        hands.advance(Duration::from_millis(500));
        describe(&mut client, "x").transaction_state == "CompleteAbort"
    });
    assert_eq!(add(&mut client, 3, "x", first, 0), ErrorCode::ProducerFenced);
    assert_eq!(describe(&mut client, "x").producer_epoch, first.epoch + 1);
}

#[test]
fn an_id_that_nobody_uses_is_forgotten() {
    let (clock, hands) = TestClock::manual();
    let broker = TestBroker::start_in(
        clock,
        &[
            ("transaction.state.log.num.partitions", "1"),
            ("transactional.id.expiration.ms", "10000"),
            ("transaction.remove.expired.transaction.cleanup.interval.ms", "1000"),
        ],
    );
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    milena_tests::wait_until("the id to expire", || {
        hands.advance(Duration::from_secs(1));
        describe(&mut client, "x").error_code == ErrorCode::TransactionalIdNotFound
    });
    assert_ne!(producer(&mut client, "x").id, first.id);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let broker = broker();
    let mut client = connect(&broker);
    producer(&mut client, "x");
    assert_eq!(client.ask(5, &initialize("", None)).error_code, ErrorCode::InvalidRequest);
    for timeout in [0, -1, 900_001, i32::MAX] {
        let request =
            InitProducerIdRequest { transaction_timeout_ms: timeout, ..initialize("x", None) };
        let told = client.ask(5, &request);
        assert_eq!(told.error_code, ErrorCode::InvalidTransactionTimeout, "{timeout}");
        assert_eq!((told.producer_id, told.producer_epoch), (-1, -1));
    }
}

#[test]
fn an_id_without_its_epoch_resumes_nothing() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for (producer_id, producer_epoch, code) in [
        (7, -1, ErrorCode::InvalidRequest),
        (-1, 7, ErrorCode::InvalidRequest),
        (7, 7, ErrorCode::None),
        (-1, -1, ErrorCode::None),
    ] {
        let request = InitProducerIdRequest {
            producer_id,
            producer_epoch,
            ..InitProducerIdRequest::default()
        };
        assert_eq!(client.ask(3, &request).error_code, code, "{producer_id}/{producer_epoch}");
    }
}
