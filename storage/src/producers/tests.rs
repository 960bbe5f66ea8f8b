//! The rules for producers by table, and snapshots through damage and crashes.

use std::{io::IoSlice, path::PathBuf};

use super::*;
use crate::fs::{Mode, sim::SimDisk};

const P: ProducerId = ProducerId(7);

/// Epoch, first and last sequence.
type Sequences = (i16, i32, i32);

fn batch(epoch: i16, first_sequence: i32, last_sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer: P,
        epoch: ProducerEpoch(epoch),
        first_sequence,
        last_sequence,
        max_timestamp: Timestamp(1000),
        transactional: false,
    }
}

/// States in which `P` wrote these, from offset 0 on.
fn after(batches: &[Sequences]) -> ProducerStates {
    let mut states = ProducerStates::new(1000);
    for &(epoch, first, last) in batches {
        let records = (i64::from(last) - i64::from(first)).rem_euclid(1 << 31);
        let at = states.end();
        states.record(&batch(epoch, first, last), at, at.plus(records), Timestamp(0));
    }
    states
}

#[test]
fn a_batch_is_new_or_known_or_refused() {
    let written = |last_sequence, last_offset, offset_delta| {
        Check::Duplicate(WrittenBatch {
            last_sequence,
            last_offset: Offset(last_offset),
            offset_delta,
            timestamp: Timestamp(1000),
        })
    };
    let fenced = |epoch| Check::Fenced { current: ProducerEpoch(epoch) };
    let six = [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4), (0, 5, 5)];
    let cases: &[(&[Sequences], Sequences, Check)] = &[
        // Never seen: whatever it says.
        (&[], (0, 0, 9), Check::Accept),
        (&[], (3, 17, 18), Check::Accept),
        // The next, the same, one too far, one that overlaps.
        (&[(0, 0, 9)], (0, 10, 10), Check::Accept),
        (&[(0, 0, 9)], (0, 0, 9), written(9, 9, 9)),
        (&[(0, 0, 9)], (0, 11, 11), Check::OutOfOrder { last: 9, first: 11 }),
        (&[(0, 0, 9)], (0, 0, 8), Check::OutOfOrder { last: 9, first: 0 }),
        // The last five are known, the sixth is not.
        (&six, (0, 1, 1), written(1, 1, 0)),
        (&six, (0, 0, 0), Check::OutOfOrder { last: 5, first: 0 }),
        // Sequences go round.
        (&[(0, i32::MAX - 1, i32::MAX)], (0, 0, 0), Check::Accept),
        (&[(0, i32::MAX - 1, 2)], (0, i32::MAX - 1, 2), written(2, 4, 4)),
        (&[(0, i32::MAX - 1, 2)], (0, 3, 3), Check::Accept),
        // A new epoch begins at 0, an old one is fenced, the same numbers in it are another batch.
        (&[(1, 0, 9)], (2, 0, 9), Check::Accept),
        (&[(1, 0, 9)], (2, 10, 10), Check::OutOfOrder { last: 9, first: 10 }),
        (&[(1, 0, 9)], (0, 0, 9), fenced(1)),
        (&[(1, 0, 9), (2, 0, 0)], (1, 0, 9), fenced(2)),
    ];
    for &(before, (epoch, first, last), expected) in cases {
        let verdict = after(before).check(&batch(epoch, first, last), Origin::Client);
        assert_eq!(verdict, expected, "{before:?} then {:?}", (epoch, first, last));
    }
}

#[test]
fn a_coordinator_needs_no_sequence_and_a_replica_no_check() {
    let states = after(&[(1, 0, 9)]);
    assert_eq!(states.check(&batch(1, -1, -1), Origin::Coordinator), Check::Accept);
    assert_eq!(
        states.check(&batch(0, -1, -1), Origin::Coordinator),
        Check::Fenced { current: ProducerEpoch(1) }
    );
    assert_eq!(states.check(&batch(0, 50, 60), Origin::Replica), Check::Accept);
}

#[test]
fn what_was_written_last_outlives_its_records() {
    let mut states = after(&[(0, 0, 9)]);
    states.on_log_start(Offset(500));
    assert_eq!(states.end(), Offset(500));
    assert_eq!(
        states.check(&batch(0, 11, 11), Origin::Client),
        Check::OutOfOrder { last: 9, first: 11 }
    );
}

fn transactional(producer: i64) -> ProducerBatch {
    ProducerBatch { producer: ProducerId(producer), transactional: true, ..batch(0, 0, 0) }
}

fn marker(producer: i64, commit: bool) -> EndMarker {
    EndMarker {
        producer: ProducerId(producer),
        epoch: ProducerEpoch(0),
        coordinator_epoch: 3,
        timestamp: Timestamp(2000),
        commit,
    }
}

#[test]
fn the_first_unstable_offset_waits_for_markers_and_for_the_high_watermark() {
    let mut states = ProducerStates::new(1000);
    let now = Timestamp(0);
    states.record(&transactional(1), Offset(0), Offset(0), now);
    states.record(&transactional(2), Offset(1), Offset(1), now);
    assert_eq!(states.first_unstable_offset(), Some(Offset(0)));
    assert_eq!(states.open_transaction(ProducerId(2)), Some(Offset(1)));

    assert_eq!(
        states.record_marker(&marker(1, false), Offset(2), now),
        Some(CompletedTransaction {
            producer: ProducerId(1),
            first: Offset(0),
            last: Offset(2),
            aborted: true,
            last_stable: Offset(1),
        })
    );
    assert_eq!(states.first_unstable_offset(), Some(Offset(0)));
    states.on_high_watermark(Offset(2));
    assert_eq!(states.first_unstable_offset(), Some(Offset(0)));
    states.on_high_watermark(Offset(3));
    assert_eq!(states.first_unstable_offset(), Some(Offset(1)));

    assert_eq!(
        states.record_marker(&marker(2, true), Offset(3), now),
        Some(CompletedTransaction {
            producer: ProducerId(2),
            first: Offset(1),
            last: Offset(3),
            aborted: false,
            last_stable: Offset(4),
        })
    );
    states.on_high_watermark(Offset(4));
    assert_eq!(states.first_unstable_offset(), None);
    assert_eq!(states.record_marker(&marker(2, true), Offset(4), now), None);
}

#[test]
fn an_open_transaction_takes_transactional_batches_only() {
    let mut states = ProducerStates::new(1000);
    states.record(&transactional(7), Offset(0), Offset(0), Timestamp(0));
    let plain = batch(0, 1, 1);
    assert_eq!(states.check(&plain, Origin::Client), Check::InTransaction);
    let more = ProducerBatch { transactional: true, ..plain };
    assert_eq!(states.check(&more, Origin::Client), Check::Accept);
    states.record_marker(&marker(7, true), Offset(1), Timestamp(0));
    assert_eq!(states.check(&plain, Origin::Client), Check::Accept);
}

#[test]
fn an_old_coordinator_or_producer_cannot_end_a_transaction() {
    let mut states = ProducerStates::new(1000);
    states.record(&transactional(7), Offset(0), Offset(0), Timestamp(0));
    states.record_marker(&marker(7, true), Offset(1), Timestamp(0));
    let check = |marker| states.check_marker(&marker, Origin::Coordinator);
    assert_eq!(check(marker(7, true)), MarkerCheck::Accept);
    assert_eq!(check(marker(8, true)), MarkerCheck::Accept);
    assert_eq!(
        check(EndMarker { coordinator_epoch: 2, ..marker(7, true) }),
        MarkerCheck::CoordinatorFenced { current: 3 }
    );
    let fenced = MarkerCheck::Fenced { current: ProducerEpoch(0) };
    assert_eq!(check(EndMarker { epoch: ProducerEpoch(-1), ..marker(7, true) }), fenced);
}

#[test]
fn idle_producers_expire_by_our_clock_and_open_transactions_never() {
    let mut states = ProducerStates::new(1000);
    states.record(&batch(0, 0, 0), Offset(0), Offset(0), Timestamp(5000));
    states.record(&transactional(8), Offset(1), Offset(1), Timestamp(5000));
    assert_eq!(states.expire(Timestamp(5999)), 0);
    assert_eq!(states.expire(Timestamp(6000)), 1);
    assert_eq!(states.expire(Timestamp(i64::MAX)), 0);
    assert_eq!(states.entries().map(|entry| entry.producer).collect::<Vec<_>>(), [ProducerId(8)]);
}

#[test]
fn beyond_the_limit_the_longest_idle_are_forgotten() {
    let mut states = ProducerStates::new(i64::MAX);
    let count = i64::try_from(PRODUCERS_MAX).unwrap();
    for id in 0..=count {
        let one = ProducerBatch { producer: ProducerId(id), ..batch(0, 0, 0) };
        // The first one to come is the last one heard of.
        states.record(&one, Offset(id), Offset(id), Timestamp(if id == 0 { count } else { id }));
    }
    assert_eq!(states.len(), PRODUCERS_MAX + 1 - EVICTED_AT_ONCE);
    let known: Vec<i64> = states.entries().map(|entry| entry.producer.0).take(2).collect();
    assert_eq!(known, [0, i64::try_from(EVICTED_AT_ONCE).unwrap() + 1]);
}

const DIR: &str = "/t-0";

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk
}

fn snapshot_path(offset: i64) -> PathBuf {
    Path::new(DIR).join(format!("{offset:020}.snapshot"))
}

fn restore(disk: &SimDisk, start: i64, end: i64) -> ProducerStates {
    let mut states = ProducerStates::new(1000);
    let from =
        states.restore(disk, Path::new(DIR), Offset(start), Offset(end), Timestamp(9000)).unwrap();
    assert_eq!(from, states.end());
    states
}

/// Two producers, one of which has a transaction open; the log ends at 12.
fn two_producers() -> ProducerStates {
    let mut states = after(&[(3, 0, 4), (3, 5, 9)]);
    let open = ProducerBatch { max_timestamp: Timestamp(1234), ..transactional(8) };
    states.record(&open, Offset(10), Offset(10), Timestamp(0));
    states.record_marker(&marker(9, true), Offset(11), Timestamp(0));
    states
}

#[test]
fn a_snapshot_has_the_bytes_that_kafka_reads() {
    let disk = disk();
    let mut states = two_producers();
    assert_eq!(states.take_snapshot(&disk, Path::new(DIR)).unwrap(), Some(Offset(12)));
    assert_eq!(states.take_snapshot(&disk, Path::new(DIR)).unwrap(), None, "nothing new");
    let file = disk.open(&snapshot_path(12), Mode::Read).unwrap();
    let mut bytes = vec![0; 10 + 3 * 46];
    assert_eq!(file.len().unwrap(), bytes.len() as u64);
    file.read_exact_at(&mut bytes, 0).unwrap();

    let mut body = vec![0, 0, 0, 3];
    for (id, epoch, sequence, offset, delta, timestamp, coordinator, open) in [
        (7_i64, 3_i16, 9_i32, 9_i64, 4_i32, 1000_i64, -1_i32, -1_i64),
        (8, 0, 0, 10, 0, 1234, -1, 10),
        (9, 0, -1, -1, 0, 2000, 3, -1),
    ] {
        body.extend(id.to_be_bytes());
        body.extend(epoch.to_be_bytes());
        body.extend(sequence.to_be_bytes());
        body.extend(offset.to_be_bytes());
        body.extend(delta.to_be_bytes());
        body.extend(timestamp.to_be_bytes());
        body.extend(coordinator.to_be_bytes());
        body.extend(open.to_be_bytes());
    }
    assert_eq!(bytes[..2], [0, 1]);
    assert_eq!(bytes[2..6], crc32c::crc32c(&body).to_be_bytes());
    assert_eq!(bytes[6..], body);
}

#[test]
fn a_restored_state_judges_as_the_one_before() {
    let disk = disk();
    let mut states = two_producers();
    states.take_snapshot(&disk, Path::new(DIR)).unwrap();
    let restored = restore(&disk, 0, 12);
    assert_eq!(restored.entries().collect::<Vec<_>>(), states.entries().collect::<Vec<_>>());
    assert_eq!(restored.end(), Offset(12));
    assert_eq!(restored.first_unstable_offset(), Some(Offset(10)));
    assert!(matches!(restored.check(&batch(3, 5, 9), Origin::Client), Check::Duplicate(_)));
    assert_eq!(restored.check(&batch(3, 10, 10), Origin::Client), Check::Accept);
    assert_eq!(
        restored.check(&batch(3, 11, 11), Origin::Client),
        Check::OutOfOrder { last: 9, first: 11 }
    );
}

#[test]
fn a_restored_producer_counts_as_heard_of_now() {
    let disk = disk();
    after(&[(0, 0, 0)]).take_snapshot(&disk, Path::new(DIR)).unwrap();
    let mut restored = restore(&disk, 0, 1);
    assert_eq!(restored.expire(Timestamp(9999)), 0);
    assert_eq!(restored.expire(Timestamp(10_000)), 1);
}

#[test]
fn the_newest_snapshot_inside_the_log_is_taken_and_others_go() {
    let disk = disk();
    let dir = Path::new(DIR);
    for end in [5, 10, 15, 20] {
        let mut states = after(&[(0, 0, 0)]);
        states.advance_end(Offset(end));
        states.take_snapshot(&disk, dir).unwrap();
    }
    assert_eq!(restore(&disk, 10, 18).end(), Offset(15));
    assert_eq!(list_snapshots(&disk, dir).unwrap(), [Offset(10), Offset(15)]);
    // None fits: start from the beginning of the log.
    let restored = restore(&disk, 16, 18);
    assert_eq!((restored.end(), restored.len()), (Offset(16), 0));
    assert_eq!(list_snapshots(&disk, dir).unwrap(), []);
}

#[test]
fn a_snapshot_with_any_bit_flipped_or_any_byte_cut_is_refused_and_an_older_one_taken() {
    let disk = disk();
    let dir = Path::new(DIR);
    let mut states = after(&[(0, 0, 0)]);
    states.take_snapshot(&disk, dir).unwrap();
    states.record(&batch(0, 1, 1), Offset(1), Offset(1), Timestamp(0));
    states.take_snapshot(&disk, dir).unwrap();
    let mut whole = vec![0; 56];
    disk.open(&snapshot_path(2), Mode::Read).unwrap().read_exact_at(&mut whole, 0).unwrap();

    let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        damaged.push(flipped);
    }
    damaged.push([&whole[..], &[0]].concat());
    for contents in damaged {
        let file = disk.open(&snapshot_path(2), Mode::CreateOrOpen).unwrap();
        file.set_len(0).unwrap();
        file.write_all_at(&mut [IoSlice::new(&contents)], 0).unwrap();
        assert_eq!(restore(&disk, 0, 2).end(), Offset(1), "{contents:?}");
        assert_eq!(list_snapshots(&disk, dir).unwrap(), [Offset(1)]);
    }
}

#[test]
fn a_crash_leaves_a_snapshot_that_is_whole_or_refused() {
    for seed in 0..100 {
        let disk = disk();
        disk.sync_dir(Path::new("/")).unwrap();
        let mut states = two_producers();
        states.take_snapshot(&disk, Path::new(DIR)).unwrap();
        disk.crash(seed);
        let restored = restore(&disk, 0, 12);
        assert!(
            restored.is_empty() && restored.end() == Offset(0)
                || restored.entries().eq(states.entries()) && restored.end() == Offset(12)
        );
    }
}

#[test]
fn a_transaction_begins_with_a_guard_that_nothing_has_made_void() {
    let mut states = ProducerStates::new(1000);
    let now = Timestamp(0);
    let first = transactional(1);
    let check = |states: &ProducerStates, batch: &ProducerBatch, guard| {
        states.check(batch, Origin::Verified(guard))
    };
    assert_eq!(check(&states, &first, None), Check::Unverified);
    let begin = |states: &mut ProducerStates, sequence| {
        states.begin_verification(ProducerId(1), ProducerEpoch(0), sequence, false, now)
    };
    let guard = begin(&mut states, 0);
    assert!(guard.is_some());
    assert_eq!(check(&states, &first, guard), Check::Accept);
    assert_eq!(
        check(&states, &ProducerBatch { transactional: false, ..first }, None),
        Check::Accept
    );

    // The marker of the transaction that was asked about comes first.
    states.record_marker(&marker(1, false), Offset(0), now);
    assert_eq!(check(&states, &first, guard), Check::Unverified);
    let again = begin(&mut states, 0);
    assert_ne!(again, guard);
    assert_eq!(check(&states, &first, guard), Check::Unverified);
    assert_eq!(check(&states, &first, again), Check::Accept);

    states.record(&first, Offset(1), Offset(1), now);
    let second = ProducerBatch { first_sequence: 1, last_sequence: 1, ..first };
    assert_eq!(check(&states, &second, None), Check::Accept);
    assert_eq!(begin(&mut states, 1), None);
    let next_epoch = ProducerBatch { epoch: ProducerEpoch(1), ..first };
    assert_eq!(check(&states, &next_epoch, None), Check::Unverified);
}

#[test]
fn a_batch_does_not_overtake_one_that_waits_for_its_coordinator() {
    let mut states = ProducerStates::new(1000);
    let begin = |states: &mut ProducerStates, sequence| {
        states.begin_verification(ProducerId(1), ProducerEpoch(0), sequence, false, Timestamp(0))
    };
    let guard = begin(&mut states, 3);
    assert_eq!(begin(&mut states, 0), guard);
    let fourth = ProducerBatch { first_sequence: 3, last_sequence: 3, ..transactional(1) };
    assert_eq!(
        states.check(&fourth, Origin::Verified(guard)),
        Check::OutOfOrder { last: 0, first: 3 }
    );
    assert_eq!(states.check(&transactional(1), Origin::Verified(guard)), Check::Accept);
}

#[test]
fn a_question_of_a_fenced_producer_does_not_stop_its_successor() {
    let mut states = ProducerStates::new(1000);
    let in_epoch = |epoch, sequence| ProducerBatch {
        epoch: ProducerEpoch(epoch),
        first_sequence: sequence,
        last_sequence: sequence,
        ..transactional(1)
    };
    let begin = |states: &mut ProducerStates, batch: &ProducerBatch, bumps| {
        let (epoch, sequence) = (batch.epoch, batch.first_sequence);
        states.begin_verification(batch.producer, epoch, sequence, bumps, Timestamp(0))
    };
    for sequence in 0..=6 {
        let at = Offset(i64::from(sequence));
        states.record(&in_epoch(4, sequence), at, at, Timestamp(0));
    }
    // Its coordinator refuses it, so that nothing is written that would settle the question.
    assert!(begin(&mut states, &in_epoch(3, 2), true).is_some());
    assert_eq!(states.check(&in_epoch(4, 7), Origin::Verified(None)), Check::Accept);

    // Where the successor has not written yet, it is not bound by the other's question, and its
    // own stays what it is when the other one asks again.
    let mut states = ProducerStates::new(1000);
    let old = begin(&mut states, &in_epoch(3, 2), true);
    assert_eq!(states.check(&in_epoch(4, 5), Origin::Client), Check::Accept);
    let new = begin(&mut states, &in_epoch(4, 5), false);
    assert_ne!(old, new);
    let joined = begin(&mut states, &in_epoch(3, 0), true);
    assert_eq!(states.check(&in_epoch(4, 5), Origin::Verified(new)), Check::Accept);
    for guard in [old, joined] {
        assert_eq!(states.check(&in_epoch(3, 0), Origin::Verified(guard)), Check::Unverified);
    }
}

#[test]
fn questions_that_nobody_settles_are_forgotten() {
    let mut states = ProducerStates::new(1000);
    let begin = |states: &mut ProducerStates, producer: i64, at| {
        let (producer, epoch) = (ProducerId(producer), ProducerEpoch(0));
        states.begin_verification(producer, epoch, 0, false, Timestamp(at)).unwrap()
    };
    let early = begin(&mut states, 1, 0);
    states.expire(Timestamp(1000));
    assert_eq!(states.check(&transactional(1), Origin::Verified(Some(early))), Check::Unverified);
    let first = begin(&mut states, 1, 1000);
    for other in 0..i64::try_from(PRODUCERS_MAX).unwrap() {
        begin(&mut states, 10 + other, 1000);
    }
    assert_eq!(states.check(&transactional(1), Origin::Verified(Some(first))), Check::Unverified);
}

#[test]
fn a_marker_that_bumps_the_epoch_ends_no_later_transaction() {
    let mut states = ProducerStates::new(1000);
    let now = Timestamp(0);
    let bumping = EndMarker { epoch: ProducerEpoch(1), ..marker(1, true) };
    states.record(&transactional(1), Offset(0), Offset(0), now);
    let check = |states: &ProducerStates| states.check_marker(&bumping, Origin::BumpingCoordinator);
    assert_eq!(check(&states), MarkerCheck::Accept);
    states.record_marker(&bumping, Offset(1), now);
    assert_eq!(check(&states), MarkerCheck::Accept, "the same again, nothing was written since");

    let next = ProducerBatch { epoch: ProducerEpoch(1), ..transactional(1) };
    assert_eq!(
        states.check(&transactional(1), Origin::Client),
        Check::Fenced { current: ProducerEpoch(1) }
    );
    assert_eq!(states.check(&next, Origin::Client), Check::Accept);
    states.record(&next, Offset(2), Offset(2), now);
    assert_eq!(check(&states), MarkerCheck::Fenced { current: ProducerEpoch(1) });
    assert_eq!(states.check_marker(&bumping, Origin::Coordinator), MarkerCheck::Accept);
}

#[test]
fn an_epoch_that_has_just_begun_begins_at_zero() {
    let mut states = ProducerStates::new(1000);
    let sixth = ProducerBatch { first_sequence: 5, last_sequence: 5, ..transactional(1) };
    for (bumps, expected) in
        [(false, Check::Accept), (true, Check::OutOfOrder { last: -1, first: 5 })]
    {
        let (producer, epoch) = (ProducerId(1), ProducerEpoch(0));
        let guard = states.begin_verification(producer, epoch, 5, bumps, Timestamp(0));
        assert_eq!(states.check(&sixth, Origin::Verified(guard)), expected);
    }
}
