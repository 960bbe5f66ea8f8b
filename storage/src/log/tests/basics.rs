//! What a log does, one sentence a test.

use super::*;
use crate::log::{AppendError, InvalidBatch, ReadError};

#[test]
fn offsets_go_on_from_batch_to_batch_and_over_a_restart() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    assert_eq!(append(&log, 1, &["a", "b"]).base_offset, Offset(0));
    assert_eq!(append(&log, 3, &["c"]).base_offset, Offset(2));
    drop(log);
    let (log, report) = open(&disk, dir.path(), &small());
    assert_eq!((report.batches_checked, report.bytes_cut), (2, 0));
    let appended = append(&log, 4, &["d"]);
    assert_eq!(
        appended,
        Appended {
            base_offset: Offset(3),
            last_offset: Offset(3),
            log_append_time: None,
            log_start: Offset(0),
            duplicate: false,
        }
    );
    let bases: Vec<i64> = read_all(&log, Offset(0)).iter().map(|it| it.base_offset().0).collect();
    assert_eq!(bases, [0, 2, 3]);
}

#[test]
fn a_log_of_many_segments_reads_back_from_every_offset_under_every_limit() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    for number in 0..200 {
        let value = "x".repeat(number % 37);
        append(&log, number as i64, &[&value, "second", &value][..1 + number % 3]);
    }
    assert!(log.segment_count() > 10);
    let all = read_all(&log, Offset(0));
    assert_eq!(all.len(), 200);
    for from in 0..=log.end_offset().0 {
        for max_bytes in [0, 1, 70, 100, 150, 300, 1000] {
            for at_least_one in [false, true] {
                for upper in [from - 1, from, from + 1, from + 2, from + 7, i64::MAX] {
                    let limits = ReadLimits { max_bytes, upper: Offset(upper), at_least_one };
                    check_read(&log, &all, Offset(from), limits);
                }
            }
        }
    }
}

/// What a read returns is a run of whole batches that begins with the one that holds `from`, and
/// keeps to the limits.
fn check_read(log: &Log, all: &[Batch], from: Offset, limits: ReadLimits) {
    let found = log.read(from, limits).unwrap();
    let bytes = found.records.to_bytes().unwrap();
    assert_eq!(bytes.len(), found.bytes);
    let read: Vec<Batch> = Batch::split_all(bytes).map(Result::unwrap).collect();
    let expected: Vec<&Batch> =
        all.iter().skip_while(|batch| batch.last_offset() < from).take(read.len()).collect();
    assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{from:?} {limits:?}");
    let next = all.iter().filter(|batch| batch.last_offset() >= from).nth(read.len());
    for batch in &read {
        assert!(batch.last_offset() < limits.upper, "{from:?} {limits:?}");
    }
    if found.bytes > limits.max_bytes {
        assert!(limits.at_least_one && read.len() == 1, "{from:?} {limits:?}");
    }
    if read.is_empty()
        && let Some(next) = next
    {
        let too_large = next.size() > limits.max_bytes && !limits.at_least_one;
        assert!(too_large || next.last_offset() >= limits.upper, "{from:?} {limits:?}");
    }
}

#[test]
fn reading_at_the_end_finds_nothing_and_beyond_it_is_out_of_range() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    append(&log, 1, &["a", "b"]);
    assert_eq!(log.read(Offset(2), everything()).unwrap().bytes, 0);
    for outside in [-1, 3] {
        let error = log.read(Offset(outside), everything()).unwrap_err();
        let ReadError::OutOfRange { requested, start, end } = error else { panic!("{error}") };
        assert_eq!((requested, start, end), (Offset(outside), Offset(0), Offset(2)));
    }
}

#[test]
fn a_read_that_ends_with_its_segment_says_whether_more_follows() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    let value = "x".repeat(300);
    for at in 0..5 {
        append(&log, at, &[&value]);
    }
    assert_eq!(log.segment_count(), 3);
    let goes_on = |from, limits| log.read(Offset(from), limits).unwrap().goes_on;
    let from_each = [0, 1, 2, 3, 4].map(|from| goes_on(from, everything()));
    assert_eq!(from_each, [true, true, true, true, false]);
    assert!(!goes_on(0, ReadLimits { max_bytes: 1, ..everything() }), "the limit ended it");
    let upper = |upper| ReadLimits { upper: Offset(upper), ..everything() };
    assert_eq!([1, 2, 3].map(|end| goes_on(0, upper(end))), [false, false, true]);
}

#[test]
fn what_a_client_may_not_send_is_refused_and_leaves_the_log_as_it_was() {
    let (dir, disk) = real();
    let config = LogConfig { max_message_bytes: 200, ..small() };
    let (log, _) = open(&disk, dir.path(), &config);
    let good = batch(1, &["a"]);
    let invalid = |records: Bytes| match log.append(records, client()).unwrap_err() {
        AppendError::Invalid { reason, .. } => reason,
        other => panic!("{other}"),
    };
    assert_eq!(invalid(Bytes::new()), InvalidBatch::BatchCount { found: 0 });
    assert_eq!(invalid(good.slice(..70)), InvalidBatch::BatchCount { found: 0 });
    let two = Bytes::from([&good[..], &good[..]].concat());
    assert_eq!(invalid(two), InvalidBatch::BatchCount { found: 2 });
    let mut old = good.to_vec();
    old[16] = 1;
    assert_eq!(invalid(old.clone().into()), InvalidBatch::OldFormat(1));
    old[16] = 3;
    assert!(matches!(log.append(old.into(), client()), Err(AppendError::Corrupt(_))));
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(log.append(flipped.into(), client()), Err(AppendError::Corrupt(_))));
    let large = batch(1, &[&"x".repeat(200)]);
    assert!(matches!(
        log.append(large, client()),
        Err(AppendError::TooLarge { size: 271.., max: 200 })
    ));
    assert_eq!((log.end_offset(), log.size_bytes()), (Offset(0), 0));
}
