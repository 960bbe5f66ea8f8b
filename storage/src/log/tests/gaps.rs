//! Files that went missing: what no crash and no compaction explains is named, never passed over.

use super::*;
use crate::{
    fs::sim::{Call, Fault, SimDisk},
    recovery::OpenError,
};

const DIR: &str = "/log";

fn reopen(
    disk: &SimDisk,
    config: LogConfig,
    known: OpenLog,
) -> Result<(Log, Recovered), OpenError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(config), known)
}

/// A log of several segments, all of it synced, and the bases of those.
fn several_segments(disk: &SimDisk) -> (Offset, Vec<Offset>) {
    let (log, _) = reopen(disk, small(), fresh()).unwrap();
    for at in 0..70 {
        append(&log, at, &["value", "another value"]);
    }
    let end = log.close().unwrap();
    (end, log.state().segments.iter().map(|segment| segment.base).collect())
}

fn remove(disk: &SimDisk, base: Offset) {
    disk.remove_file(&Path::new(DIR).join(format!("{:020}.log", base.0))).unwrap();
}

#[test]
fn a_segment_missing_in_the_middle_is_named_however_the_log_was_closed() {
    let whole = SimDisk::new();
    let (end, bases) = several_segments(&whole);
    assert!(bases.len() > 4, "{bases:?}");
    for clean_stop in [false, true] {
        for hole in bases.windows(2).skip(1) {
            let disk = whole.fork();
            remove(&disk, hole[0]);
            let known = OpenLog { recovery_point: end, clean_stop, ..fresh() };
            let Err(OpenError::Missing { from, to }) = reopen(&disk, small(), known) else {
                panic!("{hole:?} {clean_stop}");
            };
            assert_eq!([from, to], *hole);
            // Compaction may have taken them, and what lies before the start is nobody's.
            let cleaned = OpenLog { gaps_below: to, ..known };
            assert!(reopen(&disk, small(), cleaned).is_ok());
            let later = OpenLog { log_start: to, ..known };
            assert!(reopen(&disk, small(), later).is_ok());
            let compact = LogConfig { compact: true, ..small() };
            assert!(reopen(&disk, compact, known).is_ok());
        }
    }
}

#[test]
fn a_wrong_index_is_not_taken_for_a_missing_segment() {
    let disk = SimDisk::new();
    let (end, bases) = several_segments(&disk);
    for base in &bases {
        let index = Path::new(DIR).join(format!("{:020}.index", base.0));
        disk.open(&index, crate::fs::Mode::ReadWrite).unwrap().set_len(8).unwrap();
    }
    let known = OpenLog { recovery_point: end, clean_stop: true, ..fresh() };
    let (log, _) = reopen(&disk, small(), known).unwrap();
    assert_eq!(log.end_offset(), end);
}

#[test]
fn a_log_of_which_nothing_is_left_does_not_begin_anew() {
    let disk = SimDisk::new();
    let (end, bases) = several_segments(&disk);
    for base in bases {
        remove(&disk, base);
    }
    for clean_stop in [false, true] {
        let known = OpenLog { recovery_point: end, clean_stop, ..fresh() };
        let Err(OpenError::Missing { from, to }) = reopen(&disk, small(), known) else {
            panic!("began anew");
        };
        assert_eq!((from, to), (Offset(0), end));
    }
}

#[test]
fn a_truncation_that_leaves_nothing_may_be_interrupted_anywhere() {
    let empty = SimDisk::new();
    empty.create_dir_all(Path::new(DIR)).unwrap();
    empty.sync_dir(Path::new("/")).unwrap();
    let work = |disk: &SimDisk| {
        let (log, _) = reopen(disk, small(), fresh()).ok()?;
        for at in 0..10 {
            log.append(batch(at, &["a", "b", "c"]), client()).ok()?;
        }
        log.flush().ok()?;
        log.advance_start(Offset(1)).ok()?;
        assert!(log.may_end_before_start(Offset(2)));
        disk.note("truncating");
        log.truncate_to(Offset(2), NOW).ok()
    };
    let whole = empty.fork();
    work(&whole).unwrap();
    for stop_after in 0..whole.changes() - empty.changes() {
        let disk = empty.fork();
        disk.fail_after(stop_after);
        let _ = work(&disk);
        disk.crash(stop_after);
        // As it is noted before that is begun.
        let known = OpenLog { log_start: Offset(1), ..fresh() };
        assert!(reopen(&disk, small(), known).is_ok(), "{stop_after}");
    }
}

#[test]
fn the_newest_record_is_found_though_the_last_entry_of_an_index_was_not_written() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, small(), fresh()).unwrap();
    let mut at = 0;
    while log.segment_count() < 2 {
        if log.state().segments[0].size() > 700 {
            disk.inject(Fault::once(Call::Write, ".timeindex"));
        }
        append(&log, at, &["value"]);
        at += 1;
    }
    let newest_of_first = log.state().segments[1].base.0 - 1;
    let end = log.flush().unwrap();
    drop(log);
    let known = OpenLog { recovery_point: end, ..fresh() };
    let (log, _) = reopen(&disk, small(), known).unwrap();
    let found = log.find_by_timestamp(Timestamp(newest_of_first), Offset(i64::MAX)).unwrap();
    assert_eq!(found.unwrap().offset, Offset(newest_of_first));
}

#[test]
fn what_could_not_be_deleted_is_deleted_with_the_next() {
    let disk = SimDisk::new();
    let (_, bases) = several_segments(&disk);
    let (log, _) = reopen(&disk, small(), fresh()).unwrap();
    disk.inject(Fault::once(Call::Rename, ".log").after(1));
    let first = log.advance_start(bases[3]).unwrap();
    assert_eq!(first.len(), 1, "the second could not be renamed");
    assert_eq!((log.start_offset(), log.segment_count()), (bases[3], bases.len() - 3));
    let second = log.advance_start(bases[4]).unwrap();
    let gone: Vec<Offset> = first.iter().chain(&second).map(|segment| segment.base).collect();
    assert_eq!(gone, bases[..4]);
}
