//! Offsets and epochs, which no checksum covers: what is wrong is never served, what is right is.

use std::{collections::BTreeMap, io::IoSlice, ops::Range};

use super::*;
use crate::{
    compaction::{CompactError, Pace, Pass},
    fs::{
        Mode,
        sim::{Call, Fault, SimDisk},
    },
    log::{ReadError, TrimError},
    recovery::OpenError,
};

const DIR: &str = "/log";

/// Batches of two records by three leaders, in segments of several batches, closed in order.
fn written() -> (SimDisk, Vec<Batch>) {
    let disk = SimDisk::new();
    let log = reopen(&disk, &fresh());
    for (at, epoch) in [(0, 0), (30, 1), (55, 6)] {
        for at in at..at + 30 {
            let append = Append { leader_epoch: LeaderEpoch(epoch), ..client() };
            log.append(batch(NOW.0 + at, &["some value", "another"]), append).unwrap();
        }
    }
    log.close().unwrap();
    let all = read_all(&log, Offset(0));
    (disk, all)
}

fn try_reopen(disk: &SimDisk, open: &OpenLog) -> Result<Log, OpenError> {
    let disk = Arc::new(disk.clone());
    Log::open(disk, Path::new(DIR), Arc::new(small()), *open).map(|(log, _)| log)
}

fn reopen(disk: &SimDisk, open: &OpenLog) -> Log {
    try_reopen(disk, open).unwrap()
}

fn closed(end: i64) -> OpenLog {
    OpenLog { recovery_point: Offset(end), clean_stop: true, ..fresh() }
}

/// Where each batch is: the base of its segment, and its position there.
fn places(disk: &SimDisk, open: &OpenLog) -> BTreeMap<i64, (i64, u64)> {
    let log = reopen(&disk.fork(), open);
    let segments = log.state().segments.clone();
    let mut places = BTreeMap::new();
    for segment in segments {
        let mut scan = segment.scan(0, segment.size());
        while let Some(batch) = scan.next().unwrap() {
            places.insert(batch.header.base_offset.0, (segment.base.0, batch.position));
        }
    }
    places
}

fn end_of(all: &[Batch]) -> i64 {
    all.last().unwrap().last_offset().0 + 1
}

fn flip(disk: &SimDisk, (segment, position): (i64, u64), bit: u64) {
    let path = Path::new(DIR).join(format!("{segment:020}.log"));
    let file = disk.open(&path, Mode::ReadWrite).unwrap();
    let (at, mut byte) = (position + bit / 8, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&mut [IoSlice::new(&byte)], at).unwrap();
}

/// The bits of a batch's base offset and leader epoch.
fn uncovered() -> impl Iterator<Item = u64> {
    (0..64).chain(96..128)
}

/// Whatever is asked for, at most `max_bytes` of it: nothing but what was written; nothing is
/// passed over; and those that are `damaged` alone cannot be read.
fn check(log: &Log, all: &[Batch], damaged: Range<usize>, max_bytes: usize, context: &str) {
    for (at, wanted) in all.iter().enumerate() {
        let limits = ReadLimits { max_bytes, ..everything() };
        for from in [wanted.last_offset(), wanted.base_offset()] {
            match log.read(from, limits) {
                Ok(found) => {
                    let found = Batch::split_all(found.records.to_bytes().unwrap());
                    let found: Vec<Batch> = found.map(Result::unwrap).collect();
                    assert!(!found.is_empty(), "nothing at {from:?}: {context}");
                    let right = &all[at..at + found.len()];
                    assert_eq!(found, right, "from {from:?}: {context}");
                    assert!(!right.contains(&all[damaged.start]), "{from:?}: {context}");
                }
                Err(ReadError::Corrupt { .. }) if damaged.contains(&at) => {}
                Err(error) => panic!("{from:?}: {error}: {context}"),
            }
        }
    }
}

#[test]
fn a_batch_with_a_wrong_offset_or_epoch_is_not_served_and_every_other_is() {
    let (disk, all) = written();
    let end = end_of(&all);
    let places = places(&disk, &closed(end));
    assert!(places.values().filter(|(_, position)| *position == 0).count() > 8);
    // The beginning and the end of a segment, the beginning and the end of a leader, the middle.
    for damaged in [0, 4, 5, 6, 7, 29, 30, 31, 54, 59, 60, 61] {
        let base = all[damaged].base_offset().0;
        for bit in uncovered() {
            let disk = disk.fork();
            flip(&disk, places[&base], bit);
            let context = format!("bit {bit} of batch {damaged}");
            // What cannot be an offset at all hides where the next batch is, up to the next entry
            // of the index.
            let hidden = damaged..damaged + if bit == SIGN { 3 } else { 1 };
            for max_bytes in [usize::MAX, 1, 300] {
                // At the end of a segment that may be missed when the log is opened.
                let Ok(log) = try_reopen(&disk, &closed(end)) else { continue };
                check(&log, &all, hidden.clone(), max_bytes, &context);
            }
        }
    }
}

#[test]
fn the_end_of_a_log_that_was_closed_is_held_against_its_recovery_point() {
    let (disk, all) = written();
    let last = all.len() - 1;
    let base = all[last].base_offset().0;
    let place = places(&disk, &closed(base + 2))[&base];
    for bit in uncovered() {
        let disk = disk.fork();
        flip(&disk, place, bit);
        match try_reopen(&disk, &closed(base + 2)) {
            Err(OpenError::Corrupt { expected, .. }) => assert!(expected.0 <= base, "{bit}"),
            Err(error) => panic!("{bit}: {error}"),
            Ok(log) => check(&log, &all, last..last + 1, usize::MAX, &format!("bit {bit}")),
        }
    }
}

#[test]
fn after_a_crash_a_last_batch_behind_a_gap_is_cut_and_told_or_refused() {
    let (disk, all) = written();
    let base = all.last().unwrap().base_offset().0;
    let place = places(&disk, &closed(base + 2))[&base];
    for bit in 0..64 {
        for recovery_point in [0, base, base + 2] {
            let disk = disk.fork();
            flip(&disk, place, bit);
            let known = OpenLog { recovery_point: Offset(recovery_point), ..fresh() };
            let opened = Log::open(Arc::new(disk), Path::new(DIR), Arc::new(small()), known);
            match opened {
                Ok((log, report)) => {
                    assert!(report.bytes_cut > 0 && recovery_point <= base, "{bit}");
                    assert_eq!(log.end_offset(), Offset(base), "{bit}");
                    assert_eq!(read_all(&log, Offset(0)), all[..all.len() - 1]);
                }
                Err(OpenError::Corrupt { expected, .. }) => assert_eq!(expected, Offset(base)),
                Err(error) => panic!("{bit}: {error}"),
            }
        }
    }
}

#[test]
fn a_wrong_list_of_epochs_hides_no_batch() {
    let (disk, all) = written();
    let end = end_of(&all);
    for (from, to) in [("0 0", "4 0"), ("1 60", "2 60"), ("1 60", "1 44"), ("6 120", "7 120")] {
        let disk = disk.fork();
        let path = Path::new(DIR).join("leader-epoch-checkpoint");
        let lines = "0\n3\n0 0\n1 60\n6 120\n";
        let right = disk.open(&path, Mode::Read).unwrap();
        let mut found = vec![0; lines.len()];
        right.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), lines);
        let wrong = lines.replace(from, to);
        crate::checkpoint::replace(&disk, &path, wrong.as_bytes()).unwrap();
        let log = reopen(&disk, &closed(end));
        let found = read_all(&log, Offset(0));
        assert_eq!(found, all, "{to} for {from}");
    }
}

#[test]
fn what_was_seen_once_is_read_without_another_call() {
    let reads = |disk: &SimDisk, log: &Log, max_bytes| {
        let before = disk.reads();
        let (mut from, mut answers) = (Offset(0), 0);
        while from < log.end_offset() {
            let found = log.read(from, ReadLimits { max_bytes, ..everything() }).unwrap();
            let reads = disk.reads();
            let batches = Batch::split_all(found.records.to_bytes().unwrap());
            from = batches.last().unwrap().unwrap().last_offset().next();
            answers += disk.reads() - reads;
        }
        disk.reads() - before - answers
    };
    for max_bytes in [usize::MAX, 500, 1] {
        let disk = SimDisk::new();
        let log = reopen(&disk, &fresh());
        for at in 0..90 {
            append(&log, NOW.0 + at, &["some value", "another"]);
        }
        let appended = [(); 2].map(|()| reads(&disk, &log, max_bytes));
        let end = log.close().unwrap().0;
        drop(log);
        let log = reopen(&disk, &closed(end));
        let found = [(); 3].map(|()| reads(&disk, &log, max_bytes));
        assert!(found[0] > appended[0], "{found:?} {appended:?}");
        assert_eq!(found[1..], [appended[1]; 2], "{max_bytes}: {found:?} {appended:?}");
    }
}

#[test]
fn what_lies_behind_a_truncation_is_looked_at_anew() {
    let (disk, all) = written();
    let end = end_of(&all);
    let log = reopen(&disk, &closed(end));
    assert_eq!(read_all(&log, Offset(0)), all);
    let cut = all[70].base_offset();
    log.truncate_to(cut, NOW).unwrap();
    let mut all = all[..70].to_vec();
    assert_eq!(read_all(&log, Offset(0)), all);
    let append = Append { leader_epoch: LeaderEpoch(6), ..client() };
    log.append(batch(NOW.0, &["one", "of", "another", "length"]), append).unwrap();
    let found = read_all(&log, Offset(0));
    let added = found.last().unwrap().clone();
    assert_eq!((added.base_offset(), added.record_count()), (cut, 4));
    all.push(added);
    assert_eq!(found, all);
}

#[test]
fn a_truncation_is_not_led_astray() {
    let (disk, all) = written();
    let end = end_of(&all);
    let damaged = all[40].base_offset();
    let place = places(&disk, &closed(end))[&damaged.0];
    for bit in uncovered() {
        let disk = disk.fork();
        flip(&disk, place, bit);
        let log = reopen(&disk, &closed(end));
        let refused = log.truncate_to(damaged, NOW);
        assert!(matches!(refused, Err(TrimError::Corrupt(_))), "{bit}: {refused:?}");
        assert_eq!(log.end_offset(), Offset(end));
    }
}

#[test]
fn no_wrong_offset_is_found_by_its_time() {
    let (disk, all) = written();
    let end = end_of(&all);
    let place = places(&disk, &closed(end))[&80];
    for bit in uncovered() {
        let disk = disk.fork();
        flip(&disk, place, bit);
        let log = reopen(&disk, &closed(end));
        for at in 31..55 {
            // The second record of the batch before has this time already.
            let epoch = all[usize::try_from(at - 1).unwrap()].leader_epoch();
            let right = (Timestamp(NOW.0 + at), Offset(2 * at - 1), epoch);
            match log.find_by_timestamp(Timestamp(NOW.0 + at), Offset(i64::MAX)) {
                Ok(Some(found)) => {
                    let found = (found.timestamp, found.offset, found.leader_epoch);
                    assert_eq!(found, right, "bit {bit}");
                }
                Err(ReadError::Corrupt { .. }) if (40..46).contains(&at) => {}
                other => panic!("bit {bit} at {at}: {other:?}"),
            }
        }
    }
}

#[derive(Debug)]
struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _bytes: u64) -> bool {
        true
    }
}

fn pass(until: Offset) -> Pass {
    let (from, map_bytes) = (Offset(0), 1 << 20);
    Pass { from, until, delete_retention_ms: 1000, now: NOW, map_bytes, seed: 7 }
}

#[test]
fn compaction_writes_nothing_on_the_word_of_a_wrong_offset() {
    let (disk, all) = written();
    let end = end_of(&all);
    let places = places(&disk, &closed(end));
    for damaged in [3, 5, 6, 29, 30] {
        let base = all[damaged].base_offset().0;
        for bit in uncovered() {
            let disk = disk.fork();
            flip(&disk, places[&base], bit);
            // At the end of a segment it is missed when the log is opened.
            let Ok(log) = try_reopen(&disk, &closed(end)) else { continue };
            log.set_config(Arc::new(LogConfig { compact: true, ..small() }));
            let segments = log.state().segments.iter().map(|it| it.base).collect::<Vec<_>>();
            let stopped = log.compact(&pass(*segments.last().unwrap()), &mut Unhurried);
            let Err(CompactError::Unreadable { .. }) = stopped else {
                panic!("bit {bit} of {damaged}: {stopped:?}");
            };
            assert_eq!(log.state().segments.iter().map(|it| it.base).collect::<Vec<_>>(), segments);
        }
    }
}

#[test]
fn a_wrong_offset_among_gaps_is_noticed_unless_it_lies_in_one() {
    let disk = SimDisk::new();
    let compact = LogConfig { compact: true, ..small() };
    let opened = |disk: &SimDisk, known| {
        Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(compact.clone()), known)
    };
    let (log, _) = opened(&disk, fresh()).unwrap();
    for number in 0..120 {
        let mut builder = BatchBuilder::new(Codec::None);
        let key = format!("key {}", number * number % 31);
        builder.append(NOW, Some(key.as_bytes()), Some(b"value"), &[]).unwrap();
        log.append(builder.build().unwrap(), client()).unwrap();
    }
    log.flush().unwrap();
    let until = log.state().segments.last().unwrap().base;
    log.compact(&pass(until), &mut Unhurried).unwrap();
    let left = read_all(&log, Offset(0));
    let end = log.close().unwrap().0;
    drop(log);
    assert!((20..60).contains(&left.len()), "{}", left.len());
    let known = OpenLog { gaps_below: until, ..closed(end) };
    let places = places(&disk, &known);
    for damaged in 0..left.len() - 1 {
        let base = left[damaged].base_offset().0;
        let before = damaged.checked_sub(1).map_or(-1, |before| left[before].last_offset().0);
        let behind = left[damaged + 1].base_offset().0;
        for bit in uncovered() {
            let disk = disk.fork();
            flip(&disk, places[&base], bit);
            let Ok((log, _)) = opened(&disk, known) else { continue };
            let fits = bit < 64
                && (before + 1..behind).contains(&(base ^ (1 << (56 - bit / 8 * 8 + bit % 8))));
            let (mut from, mut told) = (Offset(0), false);
            while from < log.end_offset() && !told {
                let Ok(found) = log.read(from, everything()) else {
                    told = true;
                    break;
                };
                for found in Batch::split_all(found.records.to_bytes().unwrap()) {
                    let found = found.unwrap();
                    assert!(fits || left.contains(&found), "bit {bit} of {damaged}: {found:?}");
                    from = found.last_offset().next();
                }
            }
            assert!(told || fits, "bit {bit} of {damaged}");
        }
    }
}

#[test]
fn a_failed_read_is_no_damage() {
    let (disk, all) = written();
    let end = end_of(&all);
    let log = reopen(&disk, &closed(end));
    for skip in 0..3 {
        disk.inject(Fault::once(Call::Read, ".log").after(skip));
        let failed = log.read(Offset(0), everything());
        assert!(matches!(failed, Err(ReadError::Io(_)) | Ok(_)), "{failed:?}");
        disk.lift_faults();
    }
    assert_eq!(read_all(&log, Offset(0)), all);
}

/// The highest bit of a batch's first byte.
const SIGN: u64 = 7;
