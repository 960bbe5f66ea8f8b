//! Offsets that were committed in transactions.

use std::time::Duration;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp,
    messages::{
        OffsetDeleteRequest, TxnOffsetCommitRequest,
        groups::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        txn::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
};
use milena_storage::producers::EndMarker;

use super::{commit_code, committed};
use crate::coordinator::{
    group::{
        InTransaction, Limits, Reply, Request,
        bench::{Bench, GROUP, TOPIC_ID, commit, fetch, join, limits, sync},
    },
    runtime::Entry,
};

const ALICE: ProducerId = ProducerId(7);
const BOB: ProducerId = ProducerId(8);
const EPOCH: ProducerEpoch = ProducerEpoch(3);

fn request(producer: ProducerId, member: &str, generation: i32, offset: i64) -> InTransaction {
    let partition = TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_metadata: Some("m".into()),
        ..TxnOffsetCommitRequestPartition::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "t".into(),
        topic_id: TOPIC_ID,
        partitions: vec![partition],
    };
    let request = TxnOffsetCommitRequest {
        transactional_id: "id".into(),
        group_id: GROUP.into(),
        producer_id: producer.0,
        producer_epoch: EPOCH.0,
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![topic],
        ..TxnOffsetCommitRequest::default()
    };
    InTransaction {
        request,
        absent_group: ErrorCode::IllegalGeneration,
        stale_epoch: ErrorCode::IllegalGeneration,
    }
}

fn pend(bench: &mut Bench, request: InTransaction) -> ErrorCode {
    match bench.answer(Request::CommitInTransaction(request)) {
        Reply::CommitInTransaction(response) => response.topics[0].partitions[0].error_code,
        other => panic!("{other:?}"),
    }
}

fn pend_for(bench: &mut Bench, producer: ProducerId, offset: i64) {
    assert_eq!(pend(bench, request(producer, "", -1, offset)), ErrorCode::None);
}

fn end(bench: &mut Bench, producer: ProducerId, commit: bool) {
    let timestamp = Timestamp(5);
    let marker = EndMarker { producer, epoch: EPOCH, coordinator_epoch: 0, timestamp, commit };
    assert_eq!(bench.answer(Request::EndTransaction(marker, false)), Reply::EndTransaction);
    assert_eq!(bench.log.last(), Some(&Entry::End(marker)));
}

/// What a reader is told that wants nothing that may still change.
fn stable(bench: &mut Bench) -> Result<i64, ErrorCode> {
    let Request::Fetch { request, .. } = fetch() else { panic!("a fetch") };
    match bench.answer(Request::Fetch { request, stable: true }) {
        Reply::Fetch(group) => {
            let found = &group.topics[0].partitions[0];
            let code = found.error_code;
            if code.is_ok() { Ok(found.committed_offset) } else { Err(code) }
        }
        other => panic!("{other:?}"),
    }
}

fn delete_offset() -> Request {
    let partition = OffsetDeleteRequestPartition { partition_index: 0 };
    let topic = OffsetDeleteRequestTopic { name: "t".into(), partitions: vec![partition] };
    let request = OffsetDeleteRequest { group_id: GROUP.into(), topics: vec![topic] };
    Request::DeleteOffsets(request)
}

#[test]
fn an_offset_counts_once_its_transaction_is_committed() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 41));
    pend_for(&mut bench, ALICE, 42);
    for bench in [&mut bench.restarted(), &mut bench] {
        assert_eq!(committed(bench), 41);
        assert_eq!(stable(bench), Err(ErrorCode::UnstableOffsetCommit));
    }
    for mut bench in [bench.restarted(), bench] {
        end(&mut bench, ALICE, true);
        assert_eq!((committed(&mut bench), stable(&mut bench)), (42, Ok(42)));
        assert_eq!(committed(&mut bench.restarted()), 42);
    }
}

#[test]
fn an_offset_of_an_aborted_transaction_never_was() {
    let mut bench = Bench::new();
    pend_for(&mut bench, ALICE, 42);
    end(&mut bench, ALICE, false);
    for mut bench in [bench.restarted(), bench] {
        assert_eq!((committed(&mut bench), stable(&mut bench)), (-1, Ok(-1)));
    }
}

#[test]
fn a_transaction_that_ends_does_not_end_another() {
    let mut bench = Bench::new();
    pend_for(&mut bench, ALICE, 42);
    pend_for(&mut bench, BOB, 43);
    end(&mut bench, BOB, false);
    assert_eq!(stable(&mut bench), Err(ErrorCode::UnstableOffsetCommit));
    end(&mut bench, ALICE, true);
    assert_eq!(stable(&mut bench), Ok(42));
}

#[test]
fn the_later_commit_wins_not_the_later_end() {
    let mut bench = Bench::new();
    pend_for(&mut bench, ALICE, 42);
    bench.answer(commit("", -1, 50));
    pend_for(&mut bench, BOB, 60);
    end(&mut bench, BOB, true);
    end(&mut bench, ALICE, true);
    assert_eq!(committed(&mut bench), 60);
    assert_eq!(committed(&mut bench.restarted()), 60);
}

#[test]
fn a_marker_is_written_even_where_nothing_was_committed() {
    let mut bench = Bench::new();
    end(&mut bench, ALICE, true);
    assert_eq!(bench.log.len(), 1);
}

#[test]
fn a_group_is_kept_while_a_transaction_is_open_in_it() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 41));
    pend_for(&mut bench, ALICE, 42);
    let retention = Duration::from_millis(u64::try_from(limits().retention_ms).unwrap());
    bench.advance(retention + Duration::from_secs(1_000));
    bench = bench.restarted();
    assert_eq!(committed(&mut bench), 41);
    end(&mut bench, ALICE, false);
    bench.advance(Duration::from_secs(1_000));
    assert!(bench.group().is_none() && bench.restarted().group().is_none());
}

#[test]
fn a_deleted_group_takes_along_what_is_pending() {
    let mut bench = Bench::new();
    pend_for(&mut bench, ALICE, 42);
    bench.answer(Request::Delete(GROUP.into()));
    assert!(bench.group().is_none());
    end(&mut bench, ALICE, true);
    for mut bench in [bench.restarted(), bench] {
        assert_eq!(stable(&mut bench), Ok(-1));
    }
}

#[test]
fn a_deleted_offset_takes_along_what_is_pending() {
    for gone in [delete_offset(), Request::Forget(vec![("t".into(), TOPIC_ID)])] {
        let mut bench = Bench::new();
        pend_for(&mut bench, ALICE, 42);
        bench.answer(gone);
        assert_eq!(stable(&mut bench), Ok(-1));
        assert!(bench.group().is_some(), "its transaction is open still");
        end(&mut bench, ALICE, true);
        assert_eq!(committed(&mut bench.restarted()), -1);
    }
}

#[test]
fn members_are_held_to_their_generation() {
    let mut bench = Bench::new();
    assert_eq!(pend(&mut bench, request(ALICE, "x", 1, 42)), ErrorCode::IllegalGeneration);
    let ticket = bench.ask(join(""));
    let told = bench.joined(ticket).expect("an id to come back with");
    let member = told.member_id;
    bench.ask(join(&member));
    bench.advance(Duration::from_secs(3));
    // Its assignment is not there yet, which is no hindrance in a transaction.
    assert_eq!(pend(&mut bench, request(ALICE, &member, 1, 42)), ErrorCode::None);
    bench.ask(sync(&member, 1, &[(&member, b"x")]));
    assert_eq!(pend(&mut bench, request(ALICE, &member, 1, 43)), ErrorCode::None);
    assert_eq!(pend(&mut bench, request(ALICE, &member, 0, 44)), ErrorCode::IllegalGeneration);
    assert_eq!(pend(&mut bench, request(ALICE, "stranger", 1, 44)), ErrorCode::UnknownMemberId);
    assert_eq!(pend(&mut bench, request(ALICE, &member, -1, 44)), ErrorCode::IllegalGeneration);
    // Before version 3 nobody said who they were.
    assert_eq!(pend(&mut bench, request(ALICE, "", -1, 45)), ErrorCode::None);
    end(&mut bench, ALICE, true);
    assert_eq!(committed(&mut bench), 45);
}

#[test]
fn metadata_that_is_too_long_is_refused_in_a_transaction_too() {
    let mut bench = Bench::with(Limits { metadata_max_bytes: 0, ..limits() });
    let told = pend(&mut bench, request(ALICE, "", -1, 42));
    assert_eq!(told, ErrorCode::OffsetMetadataTooLarge);
    assert!(bench.log.is_empty() && bench.group().is_none());
}

/// What readers are to be told after a list of steps, worked out from all of them each time.
fn expected(steps: &[Step]) -> (i64, Result<i64, ErrorCode>) {
    let mut offset = -1;
    let mut decided_at = 0;
    let mut pending: Vec<(ProducerId, usize, i64)> = Vec::new();
    for (at, step) in (1..).zip(steps) {
        match *step {
            Step::Commit(value) => (offset, decided_at) = (value, at),
            Step::Pend(producer, value) => pending.push((producer, at, value)),
            Step::End(producer, commit) => {
                for &(_, at, value) in pending.iter().filter(|(whose, ..)| *whose == producer) {
                    if commit && at > decided_at {
                        (offset, decided_at) = (value, at);
                    }
                }
                pending.retain(|(whose, ..)| *whose != producer);
            }
            Step::Delete => {
                (offset, decided_at) = (-1, 0);
                pending.clear();
            }
        }
    }
    let stable = if pending.is_empty() { Ok(offset) } else { Err(ErrorCode::UnstableOffsetCommit) };
    (offset, stable)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Commit(i64),
    Pend(ProducerId, i64),
    End(ProducerId, bool),
    Delete,
}

#[test]
fn any_order_of_commits_ends_and_deletions_gives_what_the_log_says() {
    for seed in 1..=300u64 {
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let mut bench = Bench::new();
        let mut steps = Vec::new();
        for value in 0..30 {
            let producer = if roll(2) == 0 { ALICE } else { BOB };
            let step = match roll(8) {
                0 | 1 => Step::Commit(value),
                2..=4 => Step::Pend(producer, value),
                5 => Step::End(producer, true),
                6 => Step::End(producer, false),
                _ => Step::Delete,
            };
            match step {
                Step::Commit(value) => {
                    assert_eq!(commit_code(&mut bench, commit("", -1, value)), ErrorCode::None);
                }
                Step::Pend(producer, value) => pend_for(&mut bench, producer, value),
                Step::End(producer, commit) => end(&mut bench, producer, commit),
                Step::Delete => _ = bench.answer(delete_offset()),
            }
            steps.push(step);
            if roll(5) == 0 {
                bench = bench.restarted();
            }
            let told = (committed(&mut bench), stable(&mut bench));
            assert_eq!(told, expected(&steps), "seed {seed} after {steps:?}");
        }
    }
}
