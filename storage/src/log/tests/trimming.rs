//! Making logs shorter, and disks that refuse.

use milena_protocol::{ProducerEpoch, ProducerId, wire::Records};

use super::*;
use crate::{
    fs::{
        Mode,
        sim::{Call, Fault, SimDisk},
    },
    log::{AppendError, DeletedSegment, ReadError, TrimError},
};

const DIR: &str = "/log";
const DAYS: i64 = 30 * 24 * 3_600_000;

fn filled(disk: &Arc<dyn Disk>, dir: &Path, batches: i64) -> Log {
    let (log, _) = open(disk, dir, &small());
    for at in 0..batches {
        append(&log, NOW.0 - 10_000 + at * 100, &["value", "another value"]);
    }
    log
}

fn bases(log: &Log) -> Vec<i64> {
    read_all(log, log.start_offset()).iter().map(|batch| batch.base_offset().0).collect()
}

#[test]
fn delete_records_moves_the_start_and_gives_back_whole_segments() {
    let (dir, disk) = real();
    let log = filled(&disk, dir.path(), 40);
    let held: Records = log.read(Offset(0), everything()).unwrap().records;
    let before = log.segment_count();
    let deleted = log.advance_start(Offset(35)).unwrap();
    assert!(!deleted.is_empty());
    assert_eq!(log.segment_count() + deleted.len(), before);
    assert_eq!(log.start_offset(), Offset(35));
    assert!(matches!(log.read(Offset(34), everything()), Err(ReadError::OutOfRange { .. })));
    assert_eq!(bases(&log).first(), Some(&34), "the batch that holds the start");
    for segment in &deleted {
        segment.remove(&*disk).unwrap();
    }
    assert!(held.to_bytes().is_ok(), "an open reader reads on");
    assert!(log.advance_start(Offset(10)).unwrap().is_empty());
    assert!(matches!(log.advance_start(Offset(81)), Err(TrimError::OutOfRange { .. })));
    // What was noted of the start is kept, and leftovers are not.
    let left = |suffix: &str| {
        let names = disk.read_dir(dir.path()).unwrap();
        names.iter().filter(|entry| entry.name.ends_with(suffix)).count()
    };
    assert_eq!(left(".deleted"), 0);
    drop(log);
    let open = OpenLog { log_start: Offset(35), ..fresh() };
    let (log, _) = Log::open(disk, dir.path(), Arc::new(small()), open).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(35), Offset(80)));
}

#[test]
fn retention_takes_what_is_old_but_nothing_above_the_high_watermark() {
    let (dir, disk) = real();
    let log = filled(&disk, dir.path(), 40);
    log.set_config(Arc::new(LogConfig { retention_ms: Some(8000), ..small() }));
    let none: Vec<DeletedSegment> = log.retain(NOW, Offset(3)).unwrap();
    assert_eq!(none, []);
    let gone = log.retain(NOW, log.end_offset()).unwrap();
    assert!(!gone.is_empty());
    let start = log.start_offset();
    let first = log.find_by_timestamp(Timestamp(0), Offset(99)).unwrap().unwrap();
    assert_eq!(first.offset, start);
    assert_eq!(append(&log, NOW.0, &["on"]).log_start, start);
    // All of it is old some day; the log goes on where it ended.
    let gone = log.retain(Timestamp(NOW.0 + 100_000), log.end_offset()).unwrap();
    assert!(!gone.is_empty());
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(81), Offset(81)));
    assert_eq!(append(&log, NOW.0, &["on"]).base_offset, Offset(81));
}

#[test]
fn truncation_drops_whole_batches_and_what_was_known_of_them() {
    for offset in 0..=80 {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let log = filled(&disk, Path::new(DIR), 40);
        log.flush().unwrap();
        log.truncate_to(Offset(offset), NOW).unwrap();
        let end = offset / 2 * 2;
        assert_eq!(log.end_offset(), Offset(end));
        assert_eq!(bases(&log), (0..end).step_by(2).collect::<Vec<_>>());
        assert!(log.flushed_offset() <= log.end_offset());
        assert_eq!(append(&log, NOW.0, &["on"]).base_offset, Offset(end));
        assert_eq!(log.flush(), Ok(Offset(end + 1)));
        let latest = log.max_timestamp().unwrap().unwrap();
        assert_eq!((latest.timestamp, latest.offset), (NOW, Offset(end)));
        drop(log);
        let (log, report) = open(&disk, Path::new(DIR), &small());
        assert_eq!((log.end_offset(), report.bytes_cut), (Offset(end + 1), 0));
    }
}

#[test]
fn a_log_truncated_fully_begins_where_it_is_told() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let log = filled(&disk, Path::new(DIR), 40);
    log.truncate_fully(Offset(1000), NOW).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(1000), Offset(1000)));
    assert_eq!(append(&log, NOW.0, &["on"]).base_offset, Offset(1000));
    assert_eq!(bases(&log), [1000]);
}

#[test]
fn a_full_disk_refuses_appends_and_nothing_else_until_there_is_room() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = filled(&disk, Path::new(DIR), 20);
    log.flush().unwrap();
    for spare in 0..150 {
        sim.set_capacity(log.size_bytes() + spare);
        let end = log.end_offset();
        match log.append(batch(NOW.0, &["does it fit?"]), client()) {
            Err(AppendError::NoSpace) => {
                assert_eq!(log.end_offset(), end);
                assert_eq!(2 * bases(&log).len(), usize::try_from(end.0).unwrap());
            }
            other => panic!("{spare}: {other:?}"),
        }
    }
    assert_eq!(log.offline(), None);
    log.flush().unwrap();
    assert!(!log.advance_start(Offset(20)).unwrap().is_empty());
    sim.lift_capacity();
    assert_eq!(append(&log, NOW.0, &["it does now"]).base_offset, Offset(40));
    log.flush().unwrap();
    drop(log);
    assert_eq!(open(&disk, Path::new(DIR), &small()).0.end_offset(), Offset(41));
}

#[test]
fn a_log_opens_on_a_disk_without_a_byte_to_spare() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = filled(&disk, Path::new(DIR), 20);
    log.flush().unwrap();
    sim.crash(3);
    drop(log);
    sim.set_capacity(0);
    let (log, _) = open(&disk, Path::new(DIR), &small());
    assert_eq!(bases(&log).len(), 20);
    sim.lift_capacity();
    assert_eq!(append(&log, NOW.0, &["on"]).base_offset, Offset(40));
}

#[test]
fn syncing_what_is_sealed_leaves_the_active_segment_to_the_page_cache() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = filled(&disk, Path::new(DIR), 40);
    let flushed = log.flush_sealed().unwrap();
    assert!(flushed > Offset(0) && flushed < log.end_offset());
    assert_eq!(log.flushed_offset(), flushed);
    let active = Path::new(DIR).join(format!("{:020}.log", flushed.0));
    let first = Path::new(DIR).join("00000000000000000000.log");
    let synced = [&first, &active].map(|path| sim.is_synced(path).unwrap());
    assert_eq!(synced, [true, false]);
    assert_eq!(log.flush(), Ok(Offset(80)));
    assert_eq!(log.flush_sealed(), Ok(Offset(80)));
}

#[test]
fn retention_makes_room_on_a_full_disk() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = filled(&disk, Path::new(DIR), 40);
    log.flush().unwrap();
    sim.set_capacity(0);
    sim.inject(Fault::once(Call::Create, ".log").with_errno(28));
    let gone = log.retain(Timestamp(NOW.0 + DAYS), log.end_offset()).unwrap();
    assert!(!gone.is_empty());
    assert!(log.start_offset() < log.end_offset(), "the active segment stays");
    for segment in gone {
        segment.remove(&*disk).unwrap();
    }
}

#[test]
fn a_failed_sync_takes_the_log_offline_for_good() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let log = filled(&disk, Path::new(DIR), 3);
    log.flush().unwrap();
    append(&log, NOW.0, &["lost"]);
    sim.inject(Fault::once(Call::Sync, ".log"));
    assert!(log.flush().is_err());
    assert!(log.flush().is_err(), "it is not tried again");
    assert!(matches!(log.append(batch(1, &["x"]), client()), Err(AppendError::Offline(_))));
    assert!(matches!(log.read(Offset(0), everything()), Err(ReadError::Offline(_))));
    assert_eq!(log.flushed_offset(), Offset(6));
}

#[test]
fn leftovers_of_deletions_and_compactions_are_put_in_order() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let log = filled(&disk, Path::new(DIR), 40);
    log.flush().unwrap();
    let whole = bases(&log);
    drop(log);
    let at = |name: &str| Path::new(DIR).join(name);
    for name in ["00000000000000000000.log.deleted", "00000000000000000000.timeindex.cleaned"] {
        disk.open(&at(name), Mode::CreateNew).unwrap();
    }
    // A compaction that was finished but not yet in its place.
    disk.rename(&at("00000000000000000000.log"), &at("00000000000000000000.log.swap")).unwrap();
    let (log, report) = open(&disk, Path::new(DIR), &small());
    assert_eq!(bases(&log), whole);
    assert!(report.leftovers >= 2);
}

#[test]
fn a_log_that_begins_anew_knows_no_producer_after_a_restart() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (log, _) = open(&disk, Path::new(DIR), &small());
    for sequence in 0..2 {
        let mut builder = BatchBuilder::new(Codec::None);
        builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
        builder.append(NOW, None, Some(b"old"), &[]).unwrap();
        log.append(builder.build().unwrap(), client()).unwrap();
    }
    let closed = OpenLog { recovery_point: log.close().unwrap(), clean_stop: true, ..fresh() };
    for start in 0..3 {
        let disk: Arc<dyn Disk> = Arc::new(sim.fork());
        let open =
            |open| Log::open(Arc::clone(&disk), Path::new(DIR), Arc::new(small()), open).unwrap().0;
        let log = open(closed);
        log.truncate_fully(Offset(start), NOW).unwrap();
        assert_eq!(log.producers(), []);
        for at in 0..4 {
            append(&log, NOW.0 + at, &["other"]);
        }
        drop(log);
        let log = open(OpenLog { log_start: Offset(start), ..fresh() });
        assert_eq!(log.producers(), [], "begun at {start}");
    }
}

#[test]
fn a_truncation_that_fails_half_way_takes_no_more_records() {
    for (call, part) in [(Call::Rename, ".log"), (Call::Remove, ".deleted"), (Call::SyncDir, DIR)] {
        for fully in [false, true] {
            let sim = SimDisk::new();
            let disk: Arc<dyn Disk> = Arc::new(sim.clone());
            let log = filled(&disk, Path::new(DIR), 40);
            log.flush().unwrap();
            sim.inject(Fault::once(call, part));
            let outcome = if fully {
                log.truncate_fully(Offset(3), NOW)
            } else {
                log.truncate_to(Offset(3), NOW)
            };
            assert!(matches!(outcome, Err(TrimError::Offline(_))), "{call:?} {outcome:?}");
            let refused = log.append(batch(1, &["x"]), client());
            assert!(matches!(refused, Err(AppendError::Offline(_))), "{call:?}");
        }
    }
}
