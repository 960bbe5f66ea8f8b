//! InitProducerId v6: transactions that another system decides about (KIP-939).

use milena_protocol::messages::{ApiKey, cluster::api_versions::ApiVersion};

use super::{
    produce::{committed, produce},
    *,
};

const UNSTABLE: (&str, &str) = ("unstable.api.versions.enable", "true");
const TWO_PHASE: (&str, &str) = ("transaction.two.phase.commit.enable", "true");

/// What a producer asks for whose transactions a database decides about.
fn for_two_phases(keep_prepared_txn: bool) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transaction_timeout_ms: i32::MAX,
        enable2_pc: true,
        keep_prepared_txn,
        ..initialize("x", None)
    }
}

fn told_about(response: &InitProducerIdResponse) -> (Producer, Producer) {
    assert_eq!(response.error_code, ErrorCode::None);
    let (id, epoch) = (response.ongoing_txn_producer_id, response.ongoing_txn_producer_epoch);
    let producer = Producer { id: response.producer_id, epoch: response.producer_epoch };
    (producer, Producer { id, epoch })
}

fn advertised(broker: &TestBroker) -> ApiVersion {
    let apis = broker.services().apis.iter();
    let key = ApiKey::InitProducerId.number();
    apis.clone().find(|api| api.api_key == key).expect("it is served").clone()
}

const FEW: (&str, &str) = ("transaction.state.log.num.partitions", "1");
const NOBODY: Producer = Producer { id: -1, epoch: -1 };

#[test]
fn version_6_is_there_only_where_versions_that_may_change_are_asked_for() {
    let broker = broker();
    assert_eq!(advertised(&broker).max_version, 5);
    let mut client = connect(&broker);
    assert_eq!(client.try_ask(6, &initialize("x", None)), None);

    let broker = TestBroker::start(&[UNSTABLE]);
    assert_eq!(advertised(&broker).max_version, 6);
    let mut client = connect(&broker);
    let told = initialized(&mut client, 6, &initialize("x", None));
    assert_eq!(told_about(&told).1, NOBODY);
}

#[test]
fn transactions_without_a_timeout_have_to_be_allowed() {
    let broker = TestBroker::start(&[UNSTABLE]);
    let mut client = connect(&broker);
    producer(&mut client, "x");
    let told = client.ask(6, &for_two_phases(false));
    assert_eq!(told.error_code, ErrorCode::TransactionalIdAuthorizationFailed);
    assert_eq!((told.producer_id, told.ongoing_txn_producer_id), (-1, -1));
    let endless = InitProducerIdRequest { enable2_pc: false, ..for_two_phases(false) };
    assert_eq!(client.ask(6, &endless).error_code, ErrorCode::InvalidTransactionTimeout);
}

#[test]
fn what_was_prepared_waits_over_restarts_until_it_is_decided() {
    for commit in [true, false] {
        let mut broker = TestBroker::start(&[UNSTABLE, TWO_PHASE, FEW]);
        let mut client = connect(&broker);
        let (prepared, _) = told_about(&initialized(&mut client, 6, &for_two_phases(false)));
        assert_eq!(produce(&mut client, 12, prepared, 0), ErrorCode::None);

        broker.restart();
        let mut client = broker.connect();
        let mut before = prepared;
        for _ in 0..2 {
            let told = initialized(&mut client, 6, &for_two_phases(true));
            let (holder, ongoing) = told_about(&told);
            assert_eq!(ongoing, prepared);
            assert_eq!(holder, Producer { epoch: before.epoch + 1, ..prepared });
            let late = end(&mut client, 5, "x", before, !commit);
            assert_eq!(late.error_code, ErrorCode::ProducerFenced);
            assert_eq!(describe(&mut client, "x").producer_epoch, prepared.epoch);
            broker.restart();
            client = broker.connect();
            before = holder;
        }
        wait_for_state(&mut client, "x", "Ongoing");
        assert_eq!(describe(&mut client, "x").transaction_timeout_ms, i32::MAX);
        assert!(committed(&mut client).is_empty());

        let ended = end(&mut client, 5, "x", before, commit);
        assert_eq!((ended.error_code, ended.producer_epoch), (ErrorCode::None, before.epoch + 1));
        wait_for_state(&mut client, "x", if commit { "CompleteCommit" } else { "CompleteAbort" });
        // Readers leave out by themselves what was aborted.
        wait_until("the end of the transaction", || committed(&mut client) == [0]);
        let (next, ongoing) = told_about(&initialized(&mut client, 6, &for_two_phases(true)));
        assert_eq!(ongoing, NOBODY);
        assert_eq!(produce(&mut client, 12, before, 0), ErrorCode::InvalidProducerEpoch);
        assert_eq!(produce(&mut client, 12, next, 0), ErrorCode::None);
    }
}

#[test]
fn whoever_comes_to_end_a_transaction_writes_nothing_in_it() {
    let broker = TestBroker::start(&[UNSTABLE, TWO_PHASE, FEW]);
    let mut client = connect(&broker);
    let first = producer(&mut client, "x");
    assert_eq!(produce(&mut client, 12, first, 0), ErrorCode::None);
    // It need not be one without a time-out.
    let kept = InitProducerIdRequest { keep_prepared_txn: true, ..initialize("x", None) };
    let (holder, ongoing) = told_about(&initialized(&mut client, 6, &kept));
    assert_eq!(ongoing, first);
    assert_eq!(add(&mut client, 3, "x", holder, 1), ErrorCode::InvalidTxnState);
    assert_eq!(add(&mut client, 3, "x", first, 1), ErrorCode::ProducerFenced);
    assert_eq!(produce(&mut client, 12, holder, 0), ErrorCode::InvalidTxnState);
}
