//! EndTxn v0-5.

use milena_protocol::{
    ErrorCode,
    messages::{DeleteTopicsRequest, topics::delete_topics::DeleteTopicState},
};

use super::{Producer, add, broker, connect, describe, end, producer, wait_for_state};

#[test]
fn the_first_version_ends_transactions_and_leaves_the_producer_as_it_is() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=4 {
        let id = format!("x{version}");
        let by = producer(&mut client, &id);
        for (committed, state) in [(true, "CompleteCommit"), (false, "CompleteAbort")] {
            assert_eq!(add(&mut client, 3, &id, by, 0), ErrorCode::None);
            assert_eq!(end(&mut client, version, &id, by, committed).error_code, ErrorCode::None);
            wait_for_state(&mut client, &id, state);
            // The answer got lost.
            assert_eq!(end(&mut client, version, &id, by, committed).error_code, ErrorCode::None);
            let other = end(&mut client, version, &id, by, !committed);
            assert_eq!(other.error_code, ErrorCode::InvalidTxnState);
        }
        let found = describe(&mut client, &id);
        assert_eq!((found.producer_id, found.producer_epoch), (by.id, by.epoch));
        assert_eq!(found.topics, []);
    }
}

#[test]
fn the_second_version_gives_a_new_epoch_with_every_end() {
    let broker = broker();
    let mut client = connect(&broker);
    let mut by = producer(&mut client, "x");
    for committed in [true, false] {
        assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::None);
        let told = end(&mut client, 5, "x", by, committed);
        let next = Producer { id: by.id, epoch: by.epoch + 1 };
        assert_eq!(
            (told.error_code, told.producer_id, told.producer_epoch),
            (ErrorCode::None, next.id, next.epoch)
        );
        wait_for_state(
            &mut client,
            "x",
            if committed { "CompleteCommit" } else { "CompleteAbort" },
        );
        let again = end(&mut client, 5, "x", by, committed);
        assert_eq!((again.error_code, again.producer_epoch), (ErrorCode::None, next.epoch));
        let other = end(&mut client, 5, "x", by, !committed);
        assert_eq!((other.error_code, other.producer_id), (ErrorCode::InvalidTxnState, -1));
        assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::ProducerFenced);
        by = next;
    }
}

#[test]
fn a_transaction_without_partitions_is_aborted_in_the_second_version_only() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for (version, committed) in [(4, true), (4, false), (5, true)] {
        let told = end(&mut client, version, "x", by, committed);
        assert_eq!(told.error_code, ErrorCode::InvalidTxnState, "v{version} {committed}");
    }
    let told = end(&mut client, 5, "x", by, false);
    assert_eq!((told.error_code, told.producer_epoch), (ErrorCode::None, by.epoch + 1));
    wait_for_state(&mut client, "x", "CompleteAbort");
}

#[test]
fn strangers_and_those_of_another_epoch_are_told_so() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for version in 0..=5 {
        let stranger = Producer { id: by.id + 1000, ..by };
        let newer = Producer { epoch: by.epoch + 1, ..by };
        let fenced = match version {
            0 | 1 => ErrorCode::InvalidProducerEpoch,
            _ => ErrorCode::ProducerFenced,
        };
        for (id, by, code) in [
            ("", by, ErrorCode::InvalidRequest),
            ("nobody", by, ErrorCode::InvalidProducerIdMapping),
            ("x", stranger, ErrorCode::InvalidProducerIdMapping),
            ("x", newer, fenced),
        ] {
            assert_eq!(end(&mut client, version, id, by, true).error_code, code, "v{version} {id}");
        }
    }
}

#[test]
fn a_partition_that_was_deleted_holds_up_nobody() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::None);
    let topic = DeleteTopicState { name: Some("t".into()), ..DeleteTopicState::default() };
    client.ask(6, &DeleteTopicsRequest { topics: vec![topic], ..Default::default() });
    assert_eq!(end(&mut client, 4, "x", by, true).error_code, ErrorCode::None);
    wait_for_state(&mut client, "x", "CompleteCommit");
}

#[test]
fn an_open_transaction_is_there_after_a_restart() {
    let mut broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    assert_eq!(add(&mut client, 3, "x", by, 1), ErrorCode::None);
    broker.restart();
    let mut client = broker.connect();
    super::find(&mut client);
    wait_for_state(&mut client, "x", "Ongoing");
    assert_eq!(end(&mut client, 5, "x", by, true).producer_epoch, by.epoch + 1);
    wait_for_state(&mut client, "x", "CompleteCommit");
}

#[test]
fn transactions_are_counted_by_state() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    let count = |state| broker.metric("milena_transactions", Some(state));
    assert_eq!((count("Empty"), count("Ongoing")), (1, 0));
    assert_eq!(add(&mut client, 3, "x", by, 0), ErrorCode::None);
    assert_eq!((count("Empty"), count("Ongoing")), (0, 1));
    assert_eq!(end(&mut client, 4, "x", by, true).error_code, ErrorCode::None);
    wait_for_state(&mut client, "x", "CompleteCommit");
    assert_eq!((count("Ongoing"), count("CompleteCommit")), (0, 1));
    assert_eq!(broker.metric("milena_transaction_markers_waiting", None), 0);
}
