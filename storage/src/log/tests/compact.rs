//! Compaction keeps the last record of each key, where it was, whatever happens meanwhile.

use std::collections::BTreeMap;

use milena_protocol::{ProducerEpoch, ProducerId, compression::CodecError, records::BatchError};

use super::*;
use crate::{
    compaction::{CompactError, Compacted, Pace, Pass, Policy},
    fs::{Mode, sim::SimDisk},
};

const DIR: &str = "/log";
const RETENTION_MS: i64 = 1000;
const POLICY: Policy = Policy {
    min_dirty_ratio: 0.0,
    min_lag_ms: 0,
    max_lag_ms: i64::MAX,
    delete_retention_ms: RETENTION_MS,
};

type Records = BTreeMap<i64, (String, Option<String>)>;

#[derive(Debug)]
struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _bytes: u64) -> bool {
        true
    }
}

fn compacted() -> LogConfig {
    LogConfig { compact: true, delete: false, ..small() }
}

fn new_log(disk: &SimDisk) -> Log {
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    reopen(disk, 0)
}

fn reopen(disk: &SimDisk, recovery_point: i64) -> Log {
    reopen_cleaned(disk, recovery_point, Offset(0))
}

fn reopen_cleaned(disk: &SimDisk, recovery_point: i64, cleaned_to: Offset) -> Log {
    let open =
        OpenLog { recovery_point: Offset(recovery_point), gaps_below: cleaned_to, ..fresh() };
    let disk = Arc::new(disk.clone());
    Log::open(disk, Path::new(DIR), Arc::new(compacted()), open).unwrap().0
}

fn keyed(codec: Codec, records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for (key, value) in records {
        let value = value.map(str::as_bytes);
        builder.append(NOW, Some(key.as_bytes()), value, &[]).unwrap();
    }
    builder.build().unwrap()
}

fn put(log: &Log, records: &[(&str, Option<&str>)]) {
    log.append(keyed(Codec::None, records), client()).unwrap();
}

/// Ends the active segment, so that all that was appended can be compacted.
fn roll(log: &Log) {
    let later = Timestamp(NOW.0 + 30 * 24 * 3_600_000);
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(later, Some(b"last"), Some(b"of all"), &[]).unwrap();
    log.append(builder.build().unwrap(), client()).unwrap();
    log.flush().unwrap();
}

fn pass(log: &Log, cleaned_to: Option<Offset>, now: Timestamp) -> Pass {
    let found = log.cleanable(&POLICY, cleaned_to, Offset(i64::MAX), now);
    Pass {
        from: found.from,
        until: found.until,
        delete_retention_ms: RETENTION_MS,
        now,
        map_bytes: 1 << 20,
        seed: 7,
    }
}

fn compact(log: &Log, cleaned_to: Option<Offset>, now: Timestamp) -> Compacted {
    log.compact(&pass(log, cleaned_to, now), &mut Unhurried).unwrap()
}

fn records(log: &Log) -> Records {
    let mut found = Records::new();
    for batch in read_all(log, log.start_offset()) {
        for record in batch.records(milena_protocol::compression::InflateLimit::default()).unwrap()
        {
            let record = record.unwrap();
            let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            let key = record.key.as_ref().map(text).unwrap();
            found.insert(record.offset.0, (key, record.value.as_ref().map(text)));
        }
    }
    found
}

/// What is to be left of `all` once everything below `to` was compacted.
fn last_of_each_key(all: &Records, to: Offset) -> Records {
    let last: BTreeMap<&String, i64> =
        all.range(..to.0).map(|(offset, (key, _))| (key, *offset)).collect();
    let stays = |offset: i64, key: &String| offset >= to.0 || last[key] == offset;
    let left = all.iter().filter(|(offset, (key, _))| stays(**offset, key));
    left.map(|(offset, record)| (*offset, record.clone())).collect()
}

/// What no crash and no pass that ended early may break.
fn check(log: &Log, all: &Records, never_compacted: Offset, context: &str) {
    let found = records(log);
    for (offset, record) in &found {
        assert_eq!(all.get(offset), Some(record), "{context}: at {offset}");
    }
    for (offset, record) in all.range(never_compacted.0..) {
        assert_eq!(found.get(offset), Some(record), "{context}: {offset} was not to be touched");
    }
    let last = last_of_each_key(all, Offset(i64::MAX));
    for (offset, (key, value)) in &last {
        let kept = found.contains_key(offset);
        let any = found.values().any(|(other, _)| other == key);
        assert!(kept || (value.is_none() && !any), "{context}: {key} at {offset}");
    }
    // Every offset can be read from, and leads to what comes next.
    let batches = read_all(log, log.start_offset());
    for offset in log.start_offset().0..log.end_offset().0 {
        let next = batches.iter().find(|batch| batch.last_offset().0 >= offset);
        let read = log.read(Offset(offset), everything()).unwrap();
        assert_eq!(read.bytes > 0, next.is_some(), "{context}: {offset}");
        if let Some(next) = next {
            let first = read.records.to_bytes().unwrap().slice(..next.size());
            assert_eq!(&first, next.bytes(), "{context}: {offset}");
        }
    }
}

fn filled(disk: &SimDisk, codec: Codec) -> Log {
    let log = new_log(disk);
    for round in 0..8_i32 {
        for key in 0..8_i32 {
            let (key, other) = (format!("key {key}"), format!("key {}", (key + round) % 11));
            let value = format!("value {round} {}", "-".repeat(usize::try_from(round).unwrap()));
            let deleted = round % 5 == 2 && other.ends_with('3');
            let second = if deleted { None } else { Some("other") };
            let batch = keyed(codec, &[(&key, Some(&value)), (&other, second)]);
            log.append(batch, client()).unwrap();
        }
    }
    put(&log, &[("key 2", None), ("key 10", None)]);
    roll(&log);
    log
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    let disk = SimDisk::new();
    let log = filled(&disk, Codec::None);
    let (before, size, segments) = (records(&log), log.size_bytes(), log.segment_count());
    let bounds = (log.bounds(), log.flushed_offset());
    let done = compact(&log, None, NOW);
    let left = last_of_each_key(&before, done.to);
    assert!(done.to > Offset(100) && left.len() < 20, "{done:?} {left:?}");
    assert_eq!(records(&log), left);
    assert_eq!((log.bounds(), log.flushed_offset()), bounds);
    assert_eq!(done.records_dropped, (before.len() - left.len()) as u64);
    assert_eq!(size - log.size_bytes(), done.bytes_before - done.bytes_after);
    check(&log, &before, done.to, "open");
    let flushed = log.flushed_offset().0;
    compact(&log, Some(done.to), NOW);
    assert!(log.segment_count() < segments / 2, "small ones become one");
    drop(log);
    let log = reopen(&disk, flushed);
    assert_eq!(records(&log), left);
    put(&log, &[("key 1", Some("on"))]);
    // Recovery of everything steps over the gaps.
    log.flush().unwrap();
    drop(log);
    let log = reopen_cleaned(&disk, 0, done.to);
    assert_eq!(records(&log).len(), left.len() + 1);
}

#[test]
fn a_batch_keeps_its_header() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(5), ProducerEpoch(1), 0);
    for (at, key) in [(1, "a"), (2, "b"), (3, "c")] {
        builder.append(Timestamp(NOW.0 + at), Some(key.as_bytes()), Some(b"1"), &[]).unwrap();
    }
    let append = Append { leader_epoch: LeaderEpoch(3), ..client() };
    log.append(builder.build().unwrap(), append).unwrap();
    put(&log, &[("a", Some("2")), ("c", Some("2"))]);
    roll(&log);
    let before = *read_all(&log, Offset(0))[0].header();
    compact(&log, None, NOW);
    let after = *read_all(&log, Offset(0))[0].header();
    let expected = milena_protocol::records::BatchHeader {
        record_count: 1,
        base_timestamp: Timestamp(NOW.0 + 2),
        max_timestamp: Timestamp(NOW.0 + 2),
        length: after.length,
        checksum: after.checksum,
        ..before
    };
    assert_eq!((after, after.last_sequence()), (expected, 2));
}

#[test]
fn a_tombstone_goes_when_its_time_after_the_first_pass_is_over() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    put(&log, &[("gone", Some("value")), ("kept", Some("value"))]);
    put(&log, &[("gone", None)]);
    roll(&log);
    let first = Timestamp(NOW.0 + 500);
    for (after_ms, there) in [(0, true), (1, true), (999, true), (1000, false), (1001, false)] {
        let done = compact(&log, None, Timestamp(first.0 + after_ms));
        let expected: &[i64] = if there { &[1, 2, 3] } else { &[1, 3] };
        let found: Vec<i64> = records(&log).into_keys().collect();
        assert_eq!((found.as_slice(), done.to), (expected, Offset(3)), "{after_ms}");
        if there {
            let horizon = read_all(&log, Offset(2))[0].delete_horizon();
            assert_eq!(horizon, Some(Timestamp(first.0 + RETENTION_MS)));
        }
    }
}

#[test]
fn compressed_batches_stay_in_their_codec() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let disk = SimDisk::new();
        let log = filled(&disk, codec);
        let before = records(&log);
        let done = compact(&log, None, NOW);
        assert_eq!(records(&log), last_of_each_key(&before, done.to), "{codec:?}");
        for batch in read_all(&log, Offset(0)) {
            let mixed = [Ok(codec), Ok::<_, CodecError>(Codec::None)];
            assert!(mixed.contains(&batch.compression()), "{codec:?}");
            let own = batch.last_offset() < Offset(128);
            assert!(!own || batch.compression() == Ok(codec), "{codec:?}");
        }
    }
}

#[test]
fn a_map_that_is_too_small_takes_several_passes() {
    let disk = SimDisk::new();
    let log = filled(&disk, Codec::None);
    let before = records(&log);
    let (mut to, mut passes) = (None, 0);
    loop {
        let next = Pass { map_bytes: 5 * 24, ..pass(&log, to, NOW) };
        if next.from == next.until {
            break;
        }
        let done = log.compact(&next, &mut Unhurried).unwrap();
        assert!(done.to > next.from && done.keys <= 4, "{done:?}");
        check(&log, &before, done.to, "between passes");
        to = Some(done.to);
        passes += 1;
    }
    assert!(passes > 5, "{passes}");
    assert_eq!(Some(records(&log)), to.map(|to| last_of_each_key(&before, to)));
}

#[test]
fn what_cannot_be_read_stops_the_pass_and_changes_nothing() {
    let disk = SimDisk::new();
    let log = filled(&disk, Codec::None);
    let file = disk.open(&Path::new(DIR).join(format!("{:020}.log", 0)), Mode::ReadWrite).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, 70).unwrap();
    file.write_all_at(&mut [std::io::IoSlice::new(&[byte[0] ^ 4])], 70).unwrap();
    let (size, segments) = (log.size_bytes(), log.segment_count());
    let stopped = log.compact(&pass(&log, None, NOW), &mut Unhurried);
    let here = |error: &CompactError| {
        matches!(error, CompactError::Unreadable { segment: Offset(0), position: 0, .. })
    };
    assert!(stopped.is_err_and(|error| here(&error)));
    assert_eq!((log.size_bytes(), log.segment_count()), (size, segments));
    assert_eq!(log.offline(), None);

    // A checksum that is right over records that are not.
    let log = new_log(&SimDisk::new());
    let mut odd = keyed(Codec::None, &[("key", Some("value"))]).to_vec();
    odd[61] = 0x7e;
    let checksum = crc32c::crc32c(&odd[21..]);
    odd[17..21].copy_from_slice(&checksum.to_be_bytes());
    let origin = Origin::Replica;
    log.append(odd.into(), Append { origin, ..client() }).unwrap();
    roll(&log);
    let read = read_all(&log, Offset(0));
    let records = read[0].records(milena_protocol::compression::InflateLimit::default());
    assert!(matches!(records.unwrap().next(), Some(Err(BatchError::Record { .. }))));
    let stopped = log.compact(&pass(&log, None, NOW), &mut Unhurried);
    assert!(stopped.is_err_and(|error| here(&error)));
}

#[test]
fn the_last_batch_of_a_producer_stays_without_its_records() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    let of_producer = |sequence| {
        let mut builder =
            BatchBuilder::new(Codec::None).producer(ProducerId(5), ProducerEpoch(0), sequence);
        builder.append(NOW, Some(b"key"), Some(b"value"), &[]).unwrap();
        builder.build().unwrap()
    };
    for sequence in 0..3 {
        log.append(of_producer(sequence), client()).unwrap();
    }
    put(&log, &[("key", Some("another's"))]);
    roll(&log);
    for round in 0..3 {
        compact(&log, None, NOW);
        let left = read_all(&log, Offset(0));
        let facts: Vec<(i64, i32, i32)> = left
            .iter()
            .map(|batch| (batch.base_offset().0, batch.record_count(), batch.base_sequence()))
            .collect();
        assert_eq!(facts, [(2, 0, 2), (3, 1, -1), (4, 1, -1)], "{round}");
    }
    drop(log);
    for entry in disk.read_dir(Path::new(DIR)).unwrap() {
        if entry.name.ends_with(".snapshot") {
            disk.remove_file(&Path::new(DIR).join(entry.name)).unwrap();
        }
    }
    let log = reopen_cleaned(&disk, 0, Offset(4));
    let again = log.append(of_producer(2), client()).unwrap();
    assert_eq!((again.base_offset, again.duplicate), (Offset(2), true));
    assert!(!log.append(of_producer(3), client()).unwrap().duplicate);
}

#[test]
fn whoever_reads_a_segment_that_is_replaced_reads_on() {
    let disk = SimDisk::new();
    let log = filled(&disk, Codec::None);
    let held = log.read(Offset(0), everything()).unwrap();
    let before = held.records.to_bytes().unwrap();
    let held = log.read(Offset(0), everything()).unwrap();
    compact(&log, None, NOW);
    assert_eq!(held.records.to_bytes().unwrap(), before);
}

#[test]
fn what_is_left_is_found_by_its_time() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    for number in 0..120 {
        let key = format!("key {}", number * number % 31);
        let mut builder = BatchBuilder::new(Codec::None);
        let time = Timestamp(NOW.0 + 10 * number);
        builder.append(time, Some(key.as_bytes()), Some(b"value"), &[]).unwrap();
        log.append(builder.build().unwrap(), client()).unwrap();
    }
    roll(&log);
    compact(&log, None, NOW);
    let check = |log: &Log| {
        let left: Vec<(i64, Timestamp)> = read_all(log, Offset(0))
            .iter()
            .map(|batch| (batch.base_offset().0, batch.max_timestamp()))
            .collect();
        for after in (0..1300).step_by(5) {
            let time = Timestamp(NOW.0 + after);
            let expected = left.iter().find(|(_, of)| *of >= time).copied();
            let found = log.find_by_timestamp(time, log.end_offset()).unwrap();
            assert_eq!(found.map(|it| (it.offset.0, it.timestamp)), expected, "{after}");
        }
    };
    check(&log);
    let flushed = log.flushed_offset().0;
    drop(log);
    check(&reopen(&disk, flushed));
}

#[test]
fn what_is_not_synced_or_was_deleted_meanwhile_is_left_alone() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    for _ in 0..40 {
        put(&log, &[("key", Some("value"))]);
    }
    assert_eq!(pass(&log, None, NOW).until, Offset(0), "nothing is synced");
    log.flush().unwrap();
    let planned = pass(&log, None, NOW);
    assert!(planned.until > Offset(20));
    let settled = log.cleanable(&POLICY, None, Offset(5), NOW);
    assert_eq!(settled.until, Offset(0), "a segment is compacted whole");

    /// Deletes records while a pass is under way.
    struct Deleting<'a>(&'a Log);
    impl Pace for Deleting<'_> {
        fn spend(&mut self, _bytes: u64) -> bool {
            let _ = self.0.advance_start(Offset(20)).unwrap();
            true
        }
    }
    let stopped = log.compact(&planned, &mut Deleting(&log));
    assert!(matches!(stopped, Err(CompactError::Interrupted)), "{stopped:?}");
    let names = disk.read_dir(Path::new(DIR)).unwrap();
    assert!(!names.iter().any(|entry| entry.name.ends_with(".cleaned")), "{names:?}");
    compact(&log, None, NOW);
    assert_eq!((log.offline(), log.start_offset()), (None, Offset(20)));
}

#[test]
fn segments_that_nothing_is_left_of_do_not_stop_a_reader() {
    let disk = SimDisk::new();
    let log = new_log(&disk);
    let value = "v".repeat(800);
    for _ in 0..30 {
        put(&log, &[("key", Some(&value))]);
    }
    roll(&log);
    let before = records(&log);
    // Too large to become one beforehand, so that each is left empty.
    compact(&log, None, NOW);
    assert!(log.segment_count() > 20);
    check(&log, &before, Offset(30), "empty segments");
    drop(log);
    let log = reopen(&disk, 31);
    check(&log, &before, Offset(30), "empty segments, opened");
    compact(&log, None, NOW);
    assert!(log.segment_count() < 5);
    check(&log, &before, Offset(30), "empty segments, put together");
}

#[test]
fn a_crash_between_any_two_changes_of_a_pass_loses_and_brings_back_nothing() {
    let whole = SimDisk::new();
    let log = filled(&whole, Codec::None);
    let mut all = records(&log);
    let mut cleaned_to = None;
    let mut now = NOW;
    let (flushed, mut log) = (log.flushed_offset().0, Some(log));
    let mut recovery_point = flushed;
    for round in 0..3 {
        drop(log.take());
        let before = whole.fork();
        let done = compact(&reopen(&before, recovery_point), cleaned_to, now);
        let left = records(&reopen(&before, recovery_point));
        let changes = before.changes() - whole.changes();
        assert!(changes > 20, "{changes}");
        for stop_after in 0..changes {
            let broken = whole.fork();
            let victim = reopen(&broken, recovery_point);
            broken.fail_after(stop_after);
            let planned = pass(&victim, cleaned_to, now);
            let ended = victim.compact(&planned, &mut Unhurried);
            drop(victim);
            for seed in 0..3 {
                let context = format!("round {round}, stopped after {stop_after}, seed {seed}");
                let disk = broken.fork();
                disk.crash(seed * 1000 + stop_after);
                let log = reopen(&disk, recovery_point);
                check(&log, &all, planned.until, &context);
                if ended.is_ok() {
                    assert_eq!(records(&log), left, "{context}");
                }
                let names = disk.read_dir(Path::new(DIR)).unwrap();
                let odd = |name: &str| name.ends_with("ed") || name.ends_with(".swap");
                assert!(!names.iter().any(|entry| odd(&entry.name)), "{context}: {names:?}");
                // The pass was not noted, so that it is made again.
                let again = compact(&log, cleaned_to, now);
                assert_eq!((records(&log), again.to), (left.clone(), done.to), "{context}");
                drop(log);
                assert_eq!(records(&reopen(&disk, recovery_point)), left, "{context}");
            }
        }
        // On with more records; by then the tombstones' time is over.
        let next = reopen(&whole, recovery_point);
        cleaned_to = Some(compact(&next, cleaned_to, now).to);
        now = Timestamp(now.0 + RETENTION_MS);
        for number in 0..12 {
            let key = format!("key {number}");
            let value = Some("newer").filter(|_| number % 4 != round);
            put(&next, &[(&key, value), ("key 2", Some("back"))]);
        }
        roll(&next);
        for (offset, record) in records(&next) {
            all.insert(offset, record);
        }
        recovery_point = next.flushed_offset().0;
        log = Some(next);
    }
}

struct Dice(u32);

impl Dice {
    /// From 0 to below `sides`.
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = crc32c::crc32c_append(self.0, b"next");
        i64::from(self.0) % sides.max(1)
    }
}

#[test]
fn a_compacted_log_does_what_a_map_does() {
    for seed in 0..12 {
        let disk = SimDisk::new();
        let mut log = new_log(&disk);
        let mut dice = Dice(seed);
        let (mut all, mut cleaned_to, mut touched) = (Records::new(), None, Offset(0));
        let (mut now, mut flushed) = (NOW, 0);
        for number in 0..120 {
            let context = format!("seed {seed}, step {number}");
            match dice.roll(20) {
                0 | 1 => flushed = log.flush().unwrap().0,
                2 | 3 => {
                    let map_bytes = usize::try_from(24 * (2 + dice.roll(40))).unwrap();
                    let planned = Pass { map_bytes, ..pass(&log, cleaned_to, now) };
                    touched = touched.max(planned.until);
                    cleaned_to = Some(log.compact(&planned, &mut Unhurried).unwrap().to);
                }
                4 => now = Timestamp(now.0 + dice.roll(2 * RETENTION_MS)),
                5 | 6 => {
                    // Somewhere in a pass, or right behind it and before it is noted.
                    disk.fail_after(u64::try_from(dice.roll(60)).unwrap());
                    let planned = pass(&log, cleaned_to, now);
                    touched = touched.max(planned.until);
                    let _ = log.compact(&planned, &mut Unhurried);
                    disk.crash(dice.roll(1 << 30).unsigned_abs());
                    log = reopen(&disk, flushed);
                    assert!(log.end_offset().0 >= flushed, "{context}");
                    all.split_off(&log.end_offset().0);
                    flushed = log.flushed_offset().0;
                }
                _ => {
                    let codecs = [Codec::None, Codec::None, Codec::Lz4];
                    let codec = codecs[usize::try_from(dice.roll(3)).unwrap()];
                    let mut batch = Vec::new();
                    for _ in 0..=dice.roll(4) {
                        let value = "v".repeat(usize::try_from(dice.roll(90)).unwrap());
                        let value = Some(value).filter(|_| dice.roll(4) > 0);
                        batch.push((format!("key {}", dice.roll(12)), value));
                    }
                    let borrowed: Vec<(&str, Option<&str>)> =
                        batch.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
                    let appended = log.append(keyed(codec, &borrowed), client()).unwrap();
                    all.extend((appended.base_offset.0..).zip(batch));
                }
            }
            check(&log, &all, touched, &context);
        }
    }
}
