//! By time, by epoch, by producer.

use milena_protocol::{
    ProducerEpoch, ProducerId,
    compression::{Compression, InflateLimit},
    records::{Record, TimestampType},
};

use super::*;
use crate::{
    epochs::EpochEnd,
    fs::sim::SimDisk,
    log::{AppendError, FoundOffset, InvalidBatch, RecordError},
};

/// Timestamps that go back and forth.
fn uneven(number: i64) -> i64 {
    1000 + (number * 7919) % 211 + number / 3
}

fn all_records(log: &Log) -> Vec<Record> {
    read_all(log, log.start_offset())
        .iter()
        .flat_map(|batch| batch.records(InflateLimit::default()).unwrap())
        .map(Result::unwrap)
        .filter(|record| record.offset >= log.start_offset())
        .collect()
}

#[test]
fn a_lookup_by_time_finds_the_first_record_as_late() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    for number in 0..120 {
        append(&log, uneven(number), &["a", "b", "c"][..1 + usize::try_from(number % 3).unwrap()]);
    }
    for start in [0, 1, 50, 103] {
        log.advance_start(Offset(start)).unwrap();
        let records = all_records(&log);
        for at in 990..1270 {
            for upper in [Offset(60), Offset(i64::MAX)] {
                let naive = records
                    .iter()
                    .find(|record| record.timestamp.0 >= at)
                    .filter(|record| record.offset < upper)
                    .map(|record| (record.timestamp, record.offset));
                let found = log.find_by_timestamp(Timestamp(at), upper).unwrap();
                assert_eq!(found.map(|it| (it.timestamp, it.offset)), naive, "{start} {at}");
            }
        }
        let newest = records.iter().map(|record| record.timestamp).max().unwrap();
        let first = records.iter().find(|record| record.timestamp == newest).unwrap();
        let found = log.max_timestamp().unwrap().unwrap();
        assert_eq!((found.timestamp, found.offset), (newest, first.offset));
    }
}

#[test]
fn a_lookup_by_time_says_which_epoch_the_record_is_of() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    let epoch = |epoch| Append { leader_epoch: LeaderEpoch(epoch), ..client() };
    log.append(batch(10, &["a"]), epoch(3)).unwrap();
    log.append(batch(20, &["b"]), epoch(7)).unwrap();
    let found = log.find_by_timestamp(Timestamp(11), Offset(9)).unwrap();
    let (timestamp, offset) = (Timestamp(20), Offset(1));
    assert_eq!(found, Some(FoundOffset { timestamp, offset, leader_epoch: LeaderEpoch(7) }));
    let end = |epoch, end| Some(EpochEnd { epoch: LeaderEpoch(epoch), end: Offset(end) });
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(5)), end(3, 1));
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(7)), end(7, 2));
    // Known again after a crash, although nothing was saved.
    drop(log);
    let (log, _) = open(&disk, dir.path(), &small());
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(5)), end(3, 1));
}

#[test]
fn an_append_time_replaces_what_the_client_said() {
    let (dir, disk) = real();
    let config = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..small() };
    let (log, _) = open(&disk, dir.path(), &config);
    assert_eq!(append(&log, 5, &["a", "b"]).log_append_time, Some(NOW));
    let times: Vec<Timestamp> = all_records(&log).iter().map(|it| it.timestamp).collect();
    assert_eq!(times, [NOW, NOW]);
    drop(log);
    let (_, report) = open(&disk, dir.path(), &config);
    assert_eq!((report.batches_checked, report.bytes_cut), (1, 0), "the checksum is right");
}

#[test]
fn another_codec_is_rewritten_where_the_topic_has_one() {
    let (dir, disk) = real();
    let config = LogConfig { compression: Some(Compression::from(Codec::Zstd)), ..small() };
    let (log, _) = open(&disk, dir.path(), &config);
    append(&log, 5, &["a", "b"]);
    assert_eq!(read_all(&log, Offset(0))[0].compression(), Ok(Codec::Zstd));
    let values: Vec<Option<Bytes>> = all_records(&log).into_iter().map(|it| it.value).collect();
    assert_eq!(values, [Some(Bytes::from("a")), Some(Bytes::from("b"))]);
}

#[test]
fn a_batch_that_another_codec_makes_too_large_is_refused() {
    let (dir, disk) = real();
    let config = LogConfig {
        compression: Some(Compression::from(Codec::None)),
        max_message_bytes: 1000,
        ..small()
    };
    let (log, _) = open(&disk, dir.path(), &config);
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(NOW, None, Some(&[0; 2000]), &[]).unwrap();
    let batch = builder.build().unwrap();
    assert!(batch.len() < 1000);
    let refused = log.append(batch, client()).unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { size, max: 1000 } if size > 2000));
    assert_eq!(log.end_offset(), Offset(0));
}

#[test]
fn records_at_fault_are_named_one_by_one() {
    let (dir, disk) = real();
    let config = LogConfig {
        compact: true,
        timestamp_before_max_ms: 100,
        timestamp_after_max_ms: 100,
        ..small()
    };
    let (log, _) = open(&disk, dir.path(), &config);
    let send = |records: &[(i64, Option<&[u8]>)]| {
        let mut builder = BatchBuilder::new(Codec::Gzip);
        for (age, key) in records {
            builder.append(Timestamp(NOW.0 - age), *key, None, &[]).unwrap();
        }
        log.append(builder.build().unwrap(), client())
    };
    let key: Option<&[u8]> = Some(b"key");
    assert!(send(&[(100, key), (0, key), (-100, key)]).is_ok());
    let indexes = |records: Vec<RecordError>| -> Vec<i32> {
        records.into_iter().map(|record| record.index).collect()
    };
    match send(&[(0, None), (0, key), (0, None)]).unwrap_err() {
        AppendError::Invalid { reason: InvalidBatch::MissingKey, records } => {
            assert_eq!(indexes(records), [0, 2]);
        }
        other => panic!("{other}"),
    }
    match send(&[(101, key), (0, key), (-101, key)]).unwrap_err() {
        AppendError::InvalidTimestamp { records } => assert_eq!(indexes(records), [0, 2]),
        other => panic!("{other}"),
    }
    assert_eq!(log.end_offset(), Offset(3));
}

fn idempotent(epoch: i16, sequence: i32) -> Bytes {
    let mut builder =
        BatchBuilder::new(Codec::None).producer(ProducerId(7), ProducerEpoch(epoch), sequence);
    for value in [b"a", b"b"] {
        builder.append(Timestamp(i64::from(sequence)), None, Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn a_batch_sent_again_is_answered_with_its_first_offsets_even_after_a_crash() {
    let (dir, disk) = real();
    let (log, _) = open(&disk, dir.path(), &small());
    append(&log, 1, &["other"]);
    for sequence in (0..20).step_by(2) {
        log.append(idempotent(0, sequence), client()).unwrap();
    }
    let end = log.end_offset();
    let again = log.append(idempotent(0, 14), client()).unwrap();
    let offsets = (again.base_offset, again.last_offset);
    assert_eq!((offsets, again.duplicate), ((Offset(15), Offset(16)), true));
    assert!(matches!(
        log.append(idempotent(0, 24), client()),
        Err(AppendError::OutOfOrderSequence { sequence: 24, last: 19, .. })
    ));
    drop(log);
    let (log, _) = open(&disk, dir.path(), &small());
    let again = log.append(idempotent(0, 18), client()).unwrap();
    assert_eq!((again.base_offset, again.duplicate), (Offset(19), true));
    log.append(idempotent(1, 0), client()).unwrap();
    assert!(matches!(
        log.append(idempotent(0, 20), client()),
        Err(AppendError::FencedProducer { .. })
    ));
    assert_eq!(log.end_offset(), end.plus(2));
}

#[test]
fn of_very_many_faulty_records_only_some_are_named() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let config = LogConfig { compact: true, ..small() };
    let (log, _) = open(&disk, Path::new("/log"), &config);
    let mut builder = BatchBuilder::new(Codec::Zstd);
    for _ in 0..5000 {
        builder.append(NOW, None, Some(b"no key"), &[]).unwrap();
    }
    match log.append(builder.build().unwrap(), client()).unwrap_err() {
        AppendError::Invalid { reason: InvalidBatch::MissingKey, records } => {
            assert_eq!(records.len(), 1000);
        }
        error => panic!("{error:?}"),
    }
}
