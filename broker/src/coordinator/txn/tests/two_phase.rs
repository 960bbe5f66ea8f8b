//! Transactions that another system decides about (KIP-939).

use std::time::Duration;

use milena_protocol::{ErrorCode, ProducerEpoch};

use super::{
    bench::{Bench, Fate},
    bumped, open, worn_out,
};
use crate::coordinator::txn::{Initialized, Level, NO_TIMEOUT, Producer, State};

impl Bench {
    fn keep(&mut self) -> Result<Initialized, ErrorCode> {
        self.initialize_with(|r| {
            r.keep_prepared = true;
            r.timeout_ms = NO_TIMEOUT;
        })
    }

    /// Has the markers of the transaction written; the answer is whose they are, and whether they
    /// commit it.
    fn finish(&mut self) -> (Producer, bool) {
        let ending = self.endings(true).remove(0);
        self.ended(&ending);
        (ending.producer, ending.commit)
    }
}

fn nothing_fails() -> Fate {
    Fate::Written
}

const LONG: Duration = Duration::from_secs(100 * 24 * 3600);

#[test]
fn a_transaction_without_a_timeout_is_never_aborted_for_its_age() {
    let mut bench = Bench::new(Level::Bumping);
    let producer = bench.initialize_with(|r| r.timeout_ms = NO_TIMEOUT).unwrap().producer;
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    bench.advance(LONG, nothing_fails);
    bench.crash();
    bench.advance(LONG, nothing_fails);
    assert_eq!(bench.describe().unwrap().state, State::Ongoing);
    assert_eq!(bench.end(producer, true, Level::Bumping), Ok(bumped(producer)));
}

#[test]
fn an_open_transaction_is_kept_over_restarts_for_whoever_comes_to_end_it() {
    for commit in [true, false] {
        for client in [Level::Original, Level::Bumping] {
            let (mut bench, producer) = open();
            let before = bench.describe().unwrap();
            let kept = bench.keep().unwrap();
            assert_eq!(kept, Initialized { producer: bumped(producer), ongoing: Some(producer) });
            bench.crash();
            let found = bench.describe().unwrap();
            assert_eq!(found.timeout_ms, NO_TIMEOUT);
            assert_eq!((found.producer, found.state), (before.producer, State::Ongoing));
            assert_eq!((found.started, found.partitions), (before.started, before.partitions));
            bench.advance(LONG, nothing_fails);
            let next = bench.end(kept.producer, commit, client).unwrap();
            let bumps = client == Level::Bumping;
            assert_eq!(next, if bumps { bumped(kept.producer) } else { kept.producer });
            assert_eq!(bench.finish(), (next, commit));
            assert_eq!(bench.add(next, 1), ErrorCode::None);
        }
    }
}

#[test]
fn whoever_left_a_kept_transaction_is_fenced_and_its_new_owner_adds_nothing_to_it() {
    let (mut bench, producer) = open();
    let kept = bench.keep().unwrap().producer;
    assert_eq!(bench.add(producer, 0), ErrorCode::ProducerFenced);
    for client in [Level::Original, Level::Bumping] {
        for commit in [true, false] {
            let outcome = bench.end(producer, commit, client);
            assert_eq!(outcome, Err(ErrorCode::ProducerFenced));
        }
    }
    assert_eq!(bench.initialize(Some(producer)), Err(ErrorCode::ProducerFenced));
    assert_eq!(bench.add(kept, 0), ErrorCode::InvalidTxnState);
    assert_eq!(bench.describe().unwrap().state, State::Ongoing);
}

#[test]
fn each_that_keeps_it_fences_the_one_before_and_hears_of_the_same_transaction() {
    let (mut bench, producer) = open();
    let first = bench.keep().unwrap();
    let second = bench.keep().unwrap();
    assert_eq!(second, Initialized { producer: bumped(first.producer), ongoing: Some(producer) });
    let late = bench.end(first.producer, false, Level::Bumping);
    assert_eq!(late, Err(ErrorCode::ProducerFenced));
    let next = bench.end(second.producer, true, Level::Bumping).unwrap();
    let again = bench.end(second.producer, true, Level::Bumping);
    assert_eq!(again, Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(bench.keep(), Err(ErrorCode::ConcurrentTransactions));
    // Fences everybody that was there before, at the partitions too.
    assert_eq!(bench.finish(), (next, true));
    assert_eq!(bench.end(second.producer, true, Level::Bumping), Ok(next));
    // It comes back as it has not heard of the end: there is nothing left to do.
    assert_eq!(bench.keep(), Ok(Initialized { producer: bumped(next), ongoing: None }));
}

#[test]
fn a_kept_transaction_can_still_be_aborted_by_whoever_takes_the_id_up_anew() {
    let (mut bench, _) = open();
    let kept = bench.keep().unwrap().producer;
    assert_eq!(bench.initialize(None), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(bench.finish(), (bumped(kept), false));
    assert_eq!(bench.end(kept, true, Level::Bumping), Err(ErrorCode::InvalidTxnState));
    assert_eq!(bench.initialize(None), Ok(bumped(bumped(kept))));
}

#[test]
fn a_kept_transaction_with_a_timeout_gets_what_the_longer_one_leaves() {
    let (mut bench, producer) = open();
    let longer = |r: &mut crate::coordinator::txn::Initialize| {
        r.keep_prepared = true;
        r.timeout_ms = 90_000;
    };
    assert_eq!(bench.initialize_with(longer).unwrap().ongoing, Some(producer));
    bench.advance(Duration::from_secs(89), nothing_fails);
    assert_eq!(bench.describe().unwrap().state, State::Ongoing);
    bench.advance(Duration::from_secs(1), nothing_fails);
    assert_eq!(bench.describe().unwrap().state, State::PrepareAbort);
}

#[test]
fn an_id_whose_epochs_are_used_up_hands_a_kept_transaction_to_another() {
    for client in [Level::Original, Level::Bumping] {
        for restart in [false, true] {
            let (mut bench, producer) = worn_out();
            assert_eq!(bench.add(producer, 0), ErrorCode::None);
            let kept = bench.keep().unwrap();
            assert_ne!(kept.producer.id, producer.id);
            assert_eq!((kept.producer.epoch, kept.ongoing), (ProducerEpoch(0), Some(producer)));
            assert_eq!(bench.end(producer, true, client), Err(ErrorCode::ProducerFenced));
            let kept = bench.keep().unwrap();
            assert_eq!((kept.producer.epoch, kept.ongoing), (ProducerEpoch(1), Some(producer)));
            let next = bench.end(kept.producer, true, client).unwrap();
            if restart {
                bench.crash();
            }
            for late in [kept.producer, next] {
                let outcome = bench.end(late, true, client);
                assert_eq!(outcome, Err(ErrorCode::ConcurrentTransactions), "{late:?}");
            }
            assert_eq!(bench.finish(), (bumped(producer), true));
            assert_eq!(bench.end(kept.producer, true, client), Ok(next));
            assert_eq!(bench.add(next, 0), ErrorCode::None);
            let bumps = client == Level::Bumping;
            assert_eq!(next, if bumps { bumped(kept.producer) } else { kept.producer });
        }
    }
}

#[test]
fn a_transaction_that_is_kept_very_often_never_runs_out_of_epochs() {
    let (mut bench, producer) = worn_out();
    assert_eq!(bench.add(producer, 0), ErrorCode::None);
    let first = bench.keep().unwrap().producer;
    let mut last = first;
    while last.id == first.id {
        assert!(last.epoch < ProducerEpoch(i16::MAX - 1), "{last:?}");
        last = bench.keep().unwrap().producer;
    }
    let next = bench.end(last, true, Level::Bumping).unwrap();
    assert_eq!(next, bumped(last));
    assert_eq!(bench.finish(), (bumped(producer), true));
}

#[test]
fn there_is_nothing_to_keep_where_nothing_is_open() {
    let mut bench = Bench::new(Level::Bumping);
    let producer = bench.keep().unwrap();
    assert_eq!(producer.ongoing, None);
    assert_eq!(bench.add(producer.producer, 0), ErrorCode::None);
}

#[test]
fn a_transaction_is_kept_only_where_each_has_an_epoch_of_its_own() {
    for level in [Level::Original, Level::Flexible] {
        let mut bench = Bench::new(level);
        let producer = bench.initialize(None).unwrap();
        assert_eq!(bench.add(producer, 0), ErrorCode::None);
        assert_eq!(bench.keep(), Err(ErrorCode::UnsupportedVersion));
        assert_eq!(bench.describe().unwrap().state, State::Ongoing);
    }
}
