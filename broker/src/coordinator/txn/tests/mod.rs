//! What a shard of transactions decides, request by request.

mod bench;
mod chance;
mod two_phase;

use std::time::Duration;

use milena_protocol::{ErrorCode, ProducerEpoch, ProducerId};

use super::{Level, Producer, State};
use bench::{Bench, Fate};

/// A bench whose broker goes by the rules of version 2, and a producer with an open transaction.
fn open() -> (Bench, Producer) {
    let mut bench = Bench::new(Level::Bumping);
    let producer = bench.initialize(None).unwrap();
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    (bench, producer)
}

const fn bumped(producer: Producer) -> Producer {
    Producer { id: producer.id, epoch: ProducerEpoch(producer.epoch.0 + 1) }
}

/// A producer with the last epoch that clients are given.
fn worn_out() -> (Bench, Producer) {
    let mut bench = Bench::new(Level::Bumping);
    let before = Producer { id: ProducerId(1_000), epoch: ProducerEpoch(i16::MAX - 2) };
    bench.wear_out(before);
    let producer = bench.initialize(Some(before)).unwrap();
    assert_eq!(producer, bumped(before));
    (bench, producer)
}

#[test]
fn markers_are_handed_out_once_the_decision_is_written_and_complete_it_once_reported() {
    let (mut bench, producer) = open();
    assert_eq!(bench.endings(false), []);
    let ticket = bench.ticket();
    let end =
        super::End { id: "x".into(), producer, commit: true, client: Level::Original, spare: None };
    let request = [(ticket, super::Request::End(end))];
    assert_eq!(bench.turn(Fate::Refused, &request), None);
    assert_eq!(bench.describe().unwrap().state, State::Ongoing);
    // Whoever waits for endings waits still.
    let replies = bench.turn(Fate::Written, &request).unwrap();
    let endings: Vec<_> = replies.into_iter().flat_map(|(_, one)| bench::endings_of(one)).collect();
    assert_eq!(endings.len(), 1);
    assert_eq!((endings[0].producer, endings[0].commit), (producer, true));
    assert_eq!(endings[0].partitions, [("t".into(), 0)]);
    assert_eq!(bench.describe().unwrap().state, State::PrepareCommit);
    bench.ended(&endings[0]);
    assert_eq!(bench.describe().unwrap().state, State::CompleteCommit);
}

#[test]
fn what_is_decided_and_not_complete_is_handed_out_again_after_a_restart() {
    let (mut bench, producer) = open();
    bench.end(producer, false, Level::Original).unwrap();
    assert_eq!(bench.endings(false).len(), 1);
    assert_eq!(bench.endings(false), []);
    assert_eq!(bench.endings(true).len(), 1);
    bench.crash();
    let endings = bench.endings(false);
    assert_eq!(endings.len(), 1);
    bench.ended(&endings[0]);
    bench.crash();
    assert_eq!(bench.endings(true), []);
    assert_eq!(bench.describe().unwrap().state, State::CompleteAbort);
}

#[test]
fn a_report_about_an_earlier_transaction_completes_nothing() {
    let (mut bench, producer) = open();
    bench.end(producer, true, Level::Original).unwrap();
    let first = bench.endings(false).remove(0);
    bench.ended(&first);
    assert_eq!(bench.add(producer, 1), ErrorCode::None);
    bench.end(producer, false, Level::Original).unwrap();
    bench.ended(&first);
    assert_eq!(bench.describe().unwrap().state, State::PrepareAbort);
}

#[test]
fn nothing_is_added_while_a_transaction_ends() {
    let (mut bench, producer) = open();
    let next = bench.end(producer, true, Level::Bumping).unwrap();
    for producer in [producer, next] {
        assert_eq!(bench.add(producer, 1), ErrorCode::ConcurrentTransactions);
    }
    assert_eq!(bench.initialize(None), Err(ErrorCode::ConcurrentTransactions));
}

#[test]
fn the_next_transaction_can_be_ended_once_the_last_one_is() {
    let (mut bench, producer) = open();
    let next = bench.end(producer, true, Level::Bumping).unwrap();
    let ending = bench.endings(false).remove(0);
    // Nothing could be added to it so far: its producer gives up.
    for commit in [true, false] {
        let answer = bench.end(next, commit, Level::Bumping);
        assert_eq!(answer, Err(ErrorCode::ConcurrentTransactions));
    }
    bench.ended(&ending);
    assert_eq!(bench.end(next, false, Level::Bumping), Ok(bumped(next)));
}

#[test]
fn every_end_of_version_2_is_a_new_epoch_and_the_markers_bear_it() {
    let (mut bench, producer) = open();
    let next = bench.end(producer, true, Level::Bumping).unwrap();
    assert_eq!(next, bumped(producer));
    let ending = bench.endings(false).remove(0);
    assert_eq!((ending.producer, ending.level), (next, Level::Bumping));
    assert_eq!(bench.end(producer, true, Level::Bumping), Err(ErrorCode::ConcurrentTransactions));
    bench.ended(&ending);
    assert_eq!(bench.end(producer, true, Level::Bumping), Ok(next));
    assert_eq!(bench.end(producer, false, Level::Bumping), Err(ErrorCode::InvalidTxnState));
    assert_eq!(bench.add(producer, 0), ErrorCode::ProducerFenced);
    assert_eq!(bench.add(next, 0), ErrorCode::None);
    // A late retry of the end of the first transaction does not end the second.
    assert_eq!(bench.end(producer, true, Level::Bumping), Err(ErrorCode::ProducerFenced));
}

#[test]
fn a_broker_that_aborts_fences_the_producer_at_every_level() {
    for level in [Level::Original, Level::Flexible, Level::Bumping] {
        let mut bench = Bench::new(level);
        let producer = bench.initialize(None).unwrap();
        assert_eq!(bench.add(producer, 0), ErrorCode::None);
        assert_eq!(bench.initialize(None), Err(ErrorCode::ConcurrentTransactions));
        let ending = bench.endings(false).remove(0);
        assert_eq!((ending.producer, ending.commit), (bumped(producer), false));
        bench.ended(&ending);
        assert_eq!(bench.add(producer, 0), ErrorCode::ProducerFenced);
        assert_eq!(bench.initialize(None), Ok(bumped(bumped(producer))));
    }
}

#[test]
fn time_is_up_only_for_the_transaction_that_it_was_set_for() {
    let (mut bench, producer) = open();
    let written = || Fate::Written;
    bench.advance(Duration::from_secs(59), written);
    bench.end(producer, true, Level::Original).unwrap();
    let ending = bench.endings(false).remove(0);
    bench.ended(&ending);
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    bench.advance(Duration::from_secs(59), written);
    assert_eq!(bench.describe().unwrap().state, State::Ongoing);
    bench.crash();
    bench.advance(Duration::from_secs(1), written);
    let found = bench.describe().unwrap();
    assert_eq!((found.state, found.producer), (State::PrepareAbort, bumped(producer)));
}

#[test]
fn a_producer_whose_epochs_are_used_up_goes_on_under_another_id() {
    let (mut bench, producer) = worn_out();
    let next = bench.initialize(Some(producer)).unwrap();
    assert_ne!(next.id, producer.id);
    assert_eq!(next.epoch, ProducerEpoch(0));
    // The answer got lost.
    assert_eq!(bench.initialize(Some(producer)), Ok(next));
}

#[test]
fn the_end_of_a_transaction_may_bring_another_id() {
    let (mut bench, producer) = worn_out();
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    let next = bench.end(producer, true, Level::Bumping).unwrap();
    assert_ne!(next.id, producer.id);
    assert_eq!(bench.add(next, 0), ErrorCode::ConcurrentTransactions);
    bench.crash();
    let ending = bench.endings(false).remove(0);
    assert_eq!(ending.producer, bumped(producer));
    bench.ended(&ending);
    assert_eq!(bench.end(producer, true, Level::Bumping), Ok(next));
    assert_eq!(bench.describe().unwrap().producer, next);
    assert_eq!(bench.add(next, 0), ErrorCode::None);
}

#[test]
fn a_broker_can_always_abort_once_more() {
    let (mut bench, producer) = worn_out();
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    assert_eq!(bench.initialize(None), Err(ErrorCode::ConcurrentTransactions));
    let ending = bench.endings(false).remove(0);
    assert_eq!(ending.producer.epoch, ProducerEpoch(i16::MAX));
    bench.ended(&ending);
    let next = bench.initialize(None).unwrap();
    assert_eq!(next.epoch, ProducerEpoch(0));
    assert_ne!(next.id, producer.id);
}

#[test]
fn nobody_gets_the_epoch_that_the_broker_fenced_the_last_one_with() {
    let (mut bench, producer) = worn_out();
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    let timeout = Duration::from_millis(bench::TIMEOUT_MS.unsigned_abs().into());
    bench.advance(timeout, || Fate::Written).unwrap();
    let ending = bench.endings(false).remove(0);
    assert_eq!(ending.producer, bumped(producer));
    bench.ended(&ending);
    // It has not heard of the abort.
    for known in [producer, bumped(producer)] {
        let outcome = bench.end(known, false, Level::Bumping);
        assert_eq!(outcome, Err(ErrorCode::ProducerFenced), "{known:?}");
    }
    assert_eq!(bench.add(bumped(producer), 0), ErrorCode::ProducerFenced);
    let next = bench.initialize(Some(producer)).unwrap();
    assert_ne!(next.id, producer.id);
    assert_eq!(next.epoch, ProducerEpoch(0));
}

#[test]
fn without_a_spare_id_nothing_happens() {
    let mut bench = Bench::new(Level::Bumping);
    let reply = bench.answer(super::Request::Initialize(bench::initialize()));
    assert_eq!(reply, super::Reply::NeedsProducerId);
    assert_eq!(bench.describe(), None);
}

#[test]
fn a_stranger_is_no_earlier_life_of_the_producer() {
    let mut bench = Bench::new(Level::Bumping);
    let producer = bench.initialize(None).unwrap();
    let stranger = Producer { id: ProducerId(producer.id.0 + 7), epoch: producer.epoch };
    assert_eq!(bench.initialize(Some(stranger)), Err(ErrorCode::ProducerFenced));
}
