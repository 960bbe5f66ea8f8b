//! From where a start reads a segment that it cannot trust whole.

use std::{io::IoSlice, path::Path, sync::Arc};

use milena_protocol::{Offset, Timestamp};

use super::{OpenError, Recovered};
use crate::{
    fs::{Disk, Mode, sim::SimDisk},
    log::{
        Log, LogConfig, OpenLog,
        tests::{append, everything, fresh, read_all, small},
    },
};

const DIR: &str = "/log";
const LOG: &str = "/log/00000000000000000000.log";
const INDEX: &str = "/log/00000000000000000000.index";
const TIMES: &str = "/log/00000000000000000000.timeindex";
const BATCHES: i64 = 40;
const NOTED: Offset = Offset(30);

/// Up and down; the greatest is behind what is noted.
fn time_of(at: i64) -> i64 {
    at * 37 % 101
}

fn open(disk: &SimDisk, recovery_point: Offset) -> Result<(Log, Recovered), OpenError> {
    let config = LogConfig { segment_bytes: 100_000, ..small() };
    let open = OpenLog { recovery_point, ..fresh() };
    Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(config), open)
}

/// A log of one segment that was killed: indexes up to its end, a recovery point before it, and
/// where each batch begins.
fn killed() -> (SimDisk, Vec<u64>) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let (log, _) = open(&disk, Offset(0)).unwrap();
    let mut positions = Vec::new();
    for at in 0..BATCHES {
        positions.push(log.size_bytes());
        append(&log, time_of(at), &["value"]);
        if at + 1 == NOTED.0 {
            log.flush().unwrap();
            assert_eq!(log.recovery_point().unwrap(), NOTED);
        }
    }
    log.flush().unwrap();
    // Not noted any more.
    log.recovery_point().unwrap();
    (disk, positions)
}

fn edit(disk: &SimDisk, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = disk.open(Path::new(path), Mode::ReadWrite).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    change(&mut bytes);
    file.set_len(0).unwrap();
    file.write_all_at(&mut [IoSlice::new(&bytes)], 0).unwrap();
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn add_one(bytes: &mut [u8], at: usize) {
    let next = number(bytes, at) + 1;
    bytes[at..at + 4].copy_from_slice(&next.to_be_bytes());
}

/// The offsets of the entries below what is noted.
fn indexed(disk: &SimDisk) -> Vec<i64> {
    let mut offsets = Vec::new();
    edit(disk, INDEX, |bytes| {
        offsets.extend((0..bytes.len()).step_by(8).map(|at| i64::from(number(bytes, at))));
    });
    offsets.retain(|offset| *offset < NOTED.0);
    offsets
}

/// Everything is there, and is found by offset and by time.
fn check(log: &Log, context: &str) {
    assert_eq!(log.bounds(), (Offset(0), Offset(BATCHES)), "{context}");
    assert_eq!(read_all(log, Offset(0)).len(), 40, "{context}");
    for at in 0..BATCHES {
        let found = log.read(Offset(at), everything()).unwrap().records.to_bytes().unwrap();
        assert_eq!(found[..8], at.to_be_bytes(), "{context}: {at}");
    }
    for time in 0..=101 {
        let found = log.find_by_timestamp(Timestamp(time), Offset(i64::MAX)).unwrap();
        let first = (0..BATCHES).find(|&at| time_of(at) >= time);
        assert_eq!(found.map(|found| found.offset.0), first, "{context}: time {time}");
    }
    let newest = log.max_timestamp().unwrap().map(|found| found.timestamp.0);
    assert_eq!(newest, (0..BATCHES).map(time_of).max(), "{context}");
}

type Harm = fn(&SimDisk, usize);

#[test]
fn a_segment_is_read_from_the_last_batch_below_the_recovery_point_that_its_index_names_rightly() {
    let (whole, _) = killed();
    let entries = indexed(&whole);
    let count = entries.len();
    assert!(count > 10, "{entries:?}");
    let cases: [(&str, Harm, usize); 16] = [
        ("as it was", |_, _| {}, count),
        ("stale", |disk, n| edit(disk, INDEX, |it| it.truncate((n - 3) * 8)), count - 3),
        ("torn", |disk, n| edit(disk, INDEX, |it| it.truncate((n - 3) * 8 + 5)), count - 3),
        ("pages lost", |disk, _| edit(disk, INDEX, |it| it[40..].fill(0)), 5),
        ("pages lost at the start", |disk, _| edit(disk, INDEX, |it| it[..40].fill(0)), 0),
        ("out of order", |disk, _| edit(disk, INDEX, |it| it.copy_within(..8, 8)), 1),
        ("behind the file", |disk, n| edit(disk, INDEX, |it| it[(n - 1) * 8 + 4] = 1), count - 1),
        ("another offset", |disk, n| edit(disk, INDEX, |it| add_one(it, (n - 1) * 8)), count - 1),
        ("no batch", |disk, n| edit(disk, INDEX, |it| add_one(it, (n - 1) * 8 + 4)), count - 1),
        (
            "all of them wrong",
            |disk, n| edit(disk, INDEX, |it| (0..n).for_each(|at| add_one(it, at * 8 + 4))),
            0,
        ),
        ("none", |disk, _| disk.remove_file(Path::new(INDEX)).unwrap(), 0),
        ("empty", |disk, _| edit(disk, INDEX, Vec::clear), 0),
        ("times torn behind", |disk, _| edit(disk, TIMES, |it| it.extend([9; 20])), count),
        ("times torn below", |disk, _| edit(disk, TIMES, |it| it.truncate(29)), 0),
        ("times lost", |disk, _| edit(disk, TIMES, |it| it[12..].fill(0)), 0),
        ("no times", |disk, _| disk.remove_file(Path::new(TIMES)).unwrap(), 0),
    ];
    for (what, harm, kept) in cases {
        let disk = whole.fork();
        harm(&disk, count);
        let behind = kept.checked_sub(1).map_or(0, |last| entries[last] + 1);
        let passed = u64::try_from(NOTED.0 - behind).unwrap();
        let (log, report) = open(&disk, NOTED).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((report.batches_passed, report.batches_checked), (passed, 10), "{what}");
        assert_eq!(report.indexes_rebuilt, usize::from(kept == 0), "{what}");
        check(&log, what);
        drop(log);
        // Killed before anything was noted, and then once more after.
        let (log, _) = open(&disk, NOTED).unwrap();
        check(&log, what);
        let noted = log.recovery_point().unwrap();
        drop(log);
        for seed in 0..8 {
            let disk = disk.fork();
            disk.crash(seed);
            let (log, _) = open(&disk, noted).unwrap();
            check(&log, &format!("{what}, crash {seed}"));
        }
    }
}

#[test]
fn a_crash_while_damaged_times_are_made_anew_leaves_the_damaged_or_the_new_ones() {
    let (whole, _) = killed();
    edit(&whole, TIMES, |bytes| bytes.truncate(29));
    whole.sync_all(Path::new("/")).unwrap();
    let changes = {
        let disk = whole.fork();
        drop(open(&disk, NOTED).unwrap());
        disk.changes() - whole.changes()
    };
    assert!(changes > 3, "{changes}");
    for stop_after in 0..changes {
        for seed in 0..8 {
            let disk = whole.fork();
            disk.fail_after(stop_after);
            let _ = open(&disk, NOTED);
            disk.crash(seed);
            let (log, _) = open(&disk, NOTED).unwrap();
            check(&log, &format!("stopped after {stop_after}, crash {seed}"));
        }
    }
}

#[test]
fn damage_behind_the_batch_that_is_read_from_is_named_and_damage_before_it_when_it_is_read() {
    let (whole, positions) = killed();
    let harmed = |at: i64| {
        let disk = whole.fork();
        let position = usize::try_from(positions[usize::try_from(at).unwrap()]).unwrap();
        // The format's version.
        edit(&disk, LOG, |bytes| bytes[position + 16] ^= 0x40);
        open(&disk, NOTED)
    };
    let last = *indexed(&whole).last().unwrap();
    for at in last..NOTED.0 {
        let Err(OpenError::Corrupt { expected, .. }) = harmed(at) else { panic!("{at} opened") };
        assert_eq!(expected, Offset(at));
    }
    let (log, _) = harmed(3).unwrap();
    assert!(log.read(Offset(3), everything()).is_err());
    assert!(log.read(Offset(12), everything()).is_ok());
}

#[test]
fn producers_are_read_from_a_snapshot_near_the_end_and_two_of_those_between_are_kept() {
    let (disk, _) = killed();
    let snapshots = || {
        let names = disk.read_dir(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name);
        names.filter(|name| name.ends_with(".snapshot")).collect::<Vec<_>>()
    };
    let name = |offset: i64| format!("{offset:020}.snapshot");
    assert_eq!(snapshots(), [name(30), name(40)]);
    let (log, _) = open(&disk, NOTED).unwrap();
    append(&log, 7, &["value"]);
    log.recovery_point().unwrap();
    assert_eq!(snapshots(), [name(40), name(41)]);
}
