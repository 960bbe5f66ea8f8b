//! InitProducerId v0-5.

use std::collections::BTreeSet;

use milena_protocol::{ErrorCode, messages::InitProducerIdRequest, wire::Str};
use milena_tests::TestBroker;

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
fn a_transactional_id_is_refused_for_good() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let transactional_id = Some(Str::from_static("x"));
    let request = InitProducerIdRequest { transactional_id, ..InitProducerIdRequest::default() };
    let response = client.ask(5, &request);
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion);
    assert_eq!((response.producer_id, response.producer_epoch), (-1, -1));
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
