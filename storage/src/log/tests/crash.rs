//! What a crash may take, and what it may not.

use milena_protocol::{ProducerEpoch, ProducerId};

use super::*;
use crate::{
    fs::{
        Mode,
        sim::{Call, Fault, SimDisk},
    },
    recovery::OpenError,
};

const DIR: &str = "/log";

/// The directory's own name is the manager's business.
fn empty_disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn reopen(disk: &SimDisk, recovery_point: i64) -> Result<(Log, Recovered), OpenError> {
    let open = OpenLog { recovery_point: Offset(recovery_point), ..fresh() };
    Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(small()), open)
}

fn values(log: &Log) -> Vec<Batch> {
    read_all(log, log.start_offset())
}

/// Appends until the disk fails, syncing now and then; returns what was synced and all that was
/// appended.
fn workload(disk: &SimDisk) -> (Offset, Vec<Bytes>) {
    let mut appended = Vec::new();
    let mut synced = Offset(0);
    let open = Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(small()), fresh());
    let Ok((log, _)) = open else { return (synced, appended) };
    for number in 0..30_usize {
        let value = "v".repeat(number * 7 % 90);
        let records = batch(number as i64, &["first", &value][..1 + number % 2]);
        if log.append(records.clone(), client()).is_err() {
            break;
        }
        appended.push(records);
        if number % 4 == 3 {
            match log.flush() {
                Ok(end) => synced = end,
                Err(_) => break,
            }
        }
    }
    (synced, appended)
}

/// The log holds what was appended, in order, from the start up to somewhere behind `synced`.
fn check_prefix(log: &Log, appended: &[Bytes], synced: Offset, context: &str) {
    let found = values(log);
    assert!(log.end_offset() >= synced, "{context}: {synced:?} was synced, {log:?} is left");
    assert!(found.len() <= appended.len(), "{context}");
    let mut next = Offset(0);
    for (batch, sent) in found.iter().zip(appended) {
        assert_eq!(batch.base_offset(), next, "{context}");
        assert_eq!(batch.bytes().slice(61..), sent.slice(61..), "{context}");
        next = batch.last_offset().next();
    }
    assert_eq!(log.end_offset(), next, "{context}");
}

#[test]
fn a_crash_between_any_two_changes_leaves_a_prefix_with_all_that_was_synced() {
    let empty = empty_disk();
    let whole = empty.fork();
    workload(&whole);
    let changes = whole.changes() - empty.changes();
    assert!(changes > 60, "{changes}");
    for stop_after in 0..changes {
        let broken = empty.fork();
        broken.fail_after(stop_after);
        let (synced, appended) = workload(&broken);
        for seed in 0..4 {
            let disk = broken.fork();
            disk.crash(seed * 1000 + stop_after);
            let context = format!("stopped after {stop_after}, seed {seed}");
            let (log, _) = reopen(&disk, 0).unwrap_or_else(|error| panic!("{context}: {error}"));
            check_prefix(&log, &appended, synced, &context);
            // It goes on as if nothing had been.
            let end = log.end_offset();
            assert_eq!(append(&log, 99, &["after"]).base_offset, end, "{context}");
            for offset in 0..end.0 {
                assert!(log.read(Offset(offset), everything()).unwrap().bytes > 0, "{context}");
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_recovers_to_its_last_whole_batch() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    let batches: Vec<Bytes> = (0..5).map(|at| batch(at, &["value", "next"])).collect();
    let mut ends = vec![0];
    for records in &batches {
        log.append(records.clone(), client()).unwrap();
        ends.push(log.size_bytes());
    }
    log.flush().unwrap();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    for len in 0..=ends[5] {
        let disk = disk.fork();
        disk.open(&path, Mode::ReadWrite).unwrap().set_len(len).unwrap();
        let (log, report) = reopen(&disk, 0).unwrap();
        let whole = ends.iter().filter(|end| **end <= len).count() - 1;
        assert_eq!(log.end_offset(), Offset(2 * whole as i64), "{len}");
        assert_eq!((log.size_bytes(), report.bytes_cut), (ends[whole], len - ends[whole]), "{len}");
        check_prefix(&log, &batches, Offset(0), "cut");
    }
}

#[test]
fn zeros_behind_the_last_batch_are_cut() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    append(&log, 1, &["value"]);
    log.flush().unwrap();
    let size = log.size_bytes();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    disk.open(&path, Mode::ReadWrite).unwrap().set_len(size + 10_000).unwrap();
    let (log, report) = reopen(&disk, 1).unwrap();
    assert_eq!((log.end_offset(), report.bytes_cut), (Offset(1), 10_000));
}

#[test]
fn a_flipped_bit_is_never_cut_away_with_sound_batches_behind_it() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    let mut ends = vec![];
    for at in 0..6 {
        append(&log, at, &["some value", "another"]);
        ends.push(log.size_bytes());
    }
    log.flush().unwrap();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    for recovery_point in [0, 12] {
        for at in 0..ends[4] {
            let disk = disk.fork();
            let file = disk.open(&path, Mode::ReadWrite).unwrap();
            let mut byte = [0];
            file.read_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << (at % 8);
            file.write_all_at(&mut [std::io::IoSlice::new(&byte)], at).unwrap();
            match reopen(&disk, recovery_point) {
                Err(OpenError::Corrupt { segment: Offset(0), .. }) => {}
                Err(error) => panic!("{at}: {error}"),
                // The epoch is under no checksum; below the recovery point only headers are read.
                Ok((log, report)) => {
                    assert_eq!((log.end_offset(), report.bytes_cut), (Offset(12), 0), "{at}");
                }
            }
        }
    }
}

#[test]
fn damage_below_the_recovery_point_is_never_cut() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    append(&log, 1, &["value"]);
    append(&log, 2, &["value"]);
    let size = log.size_bytes();
    log.flush().unwrap();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    disk.open(&path, Mode::ReadWrite).unwrap().set_len(size - 1).unwrap();
    assert!(matches!(reopen(&disk, 2), Err(OpenError::Corrupt { expected: Offset(1), .. })));
    assert!(reopen(&disk, 1).is_ok());
}

#[test]
fn indexes_of_random_bytes_hide_nothing() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    for at in 0..60 {
        append(&log, at, &["value", "another"]);
    }
    log.close().unwrap();
    let all = values(&log);
    drop(log);
    let indexes: Vec<String> = disk
        .read_dir(Path::new(DIR))
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name.ends_with("index"))
        .collect();
    for seed in 0..30_u32 {
        let disk = disk.fork();
        for (number, name) in (0..).zip(&indexes) {
            let file = disk.open(&Path::new(DIR).join(name), Mode::ReadWrite).unwrap();
            let dice = |at: u32| crc32c::crc32c(&[seed, number, at].map(u32::to_be_bytes).concat());
            let garbage: Vec<u8> =
                (0..dice(0) % 40).map(|at| dice(at + 1).to_be_bytes()[0]).collect();
            if dice(99) % 3 == 0 {
                file.set_len(0).unwrap();
            }
            file.write_all_at(&mut [std::io::IoSlice::new(&garbage)], 0).unwrap();
        }
        for clean_stop in [false, true] {
            let disk = disk.fork();
            let open = OpenLog { recovery_point: Offset(120), clean_stop, ..fresh() };
            let opened =
                Log::open(Arc::new(disk), Path::new(DIR), Arc::new(small()), open).unwrap();
            assert_eq!(values(&opened.0), all, "{seed} {clean_stop}");
            for batch in &all {
                let found = opened.0.read(batch.last_offset(), everything()).unwrap();
                let first = found.records.to_bytes().unwrap().slice(..batch.size());
                assert_eq!(&first, batch.bytes(), "{seed} {clean_stop}");
            }
        }
    }
}

#[test]
fn an_index_entry_that_leads_nowhere_does_not_keep_a_log_from_opening() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    for at in 0..6 {
        append(&log, at, &["value", "another"]);
    }
    let end = log.close().unwrap();
    let all = values(&log);
    drop(log);
    let mut names = disk.read_dir(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name);
    let name = names.rfind(|name| name.ends_with(".index")).unwrap();
    let path = Path::new(DIR).join(name);
    let last = disk.open(&path, Mode::Read).unwrap().len().unwrap() - 1;
    for bit in 0..16_u64 {
        let disk = disk.fork();
        let file = disk.open(&path, Mode::ReadWrite).unwrap();
        let mut byte = [0];
        file.read_at(&mut byte, last - bit / 8).unwrap();
        byte[0] ^= 1 << (bit % 8);
        file.write_all_at(&mut [std::io::IoSlice::new(&byte)], last - bit / 8).unwrap();
        let open = OpenLog { recovery_point: end, clean_stop: true, ..fresh() };
        let opened = Log::open(Arc::new(disk), Path::new(DIR), Arc::new(small()), open);
        let (log, _) = opened.unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        assert_eq!((values(&log), log.end_offset()), (all.clone(), end), "bit {bit}");
    }
}

#[test]
fn a_log_that_lacks_what_was_synced_is_refused_even_where_it_ends_with_a_whole_batch() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    let mut ends = vec![0];
    for at in 0..4 {
        append(&log, at, &["value"]);
        ends.push(log.size_bytes());
    }
    log.flush().unwrap();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    for (batches, &end) in (0..).zip(&ends) {
        for recovery_point in 0..=4 {
            let disk = disk.fork();
            disk.open(&path, Mode::ReadWrite).unwrap().set_len(end).unwrap();
            match reopen(&disk, recovery_point) {
                Ok((log, _)) => {
                    assert!(recovery_point <= batches, "{batches} {recovery_point}");
                    assert_eq!(log.end_offset(), Offset(batches));
                }
                Err(OpenError::Corrupt { expected, .. }) => {
                    assert!(recovery_point > batches, "{batches} {recovery_point}");
                    assert_eq!(expected, Offset(batches));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_no_trace_of_a_crash_wherever_a_page_or_a_segment_ends_with_zeros() {
    let disk = SimDisk::new();
    let config = LogConfig { segment_bytes: 15_000, ..small() };
    let (log, _) =
        Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(config.clone()), fresh())
            .unwrap();
    // Values of many short runs of zeros; and every record ends with one, its count of headers.
    let value: String = (0..5000).map(|at| if at % 3 == 0 { 'x' } else { '\0' }).collect();
    for at in 0..6 {
        append(&log, at, &[&value]);
    }
    log.flush().unwrap();
    assert!(log.segment_count() > 2, "{log:?}");
    let end = log.end_offset();
    drop(log);
    for name in ["00000000000000000000.log", "00000000000000000002.log"] {
        let path = Path::new(DIR).join(name);
        let len = disk.open(&path, Mode::Read).unwrap().len().unwrap();
        for at in (0..len).step_by(97) {
            let disk = disk.fork();
            let file = disk.open(&path, Mode::ReadWrite).unwrap();
            let mut byte = [0];
            file.read_at(&mut byte, at).unwrap();
            byte[0] ^= 1 << (at % 8);
            file.write_all_at(&mut [std::io::IoSlice::new(&byte)], at).unwrap();
            match Log::open(Arc::new(disk), Path::new(DIR), Arc::new(config.clone()), fresh()) {
                Err(OpenError::Corrupt { .. }) => {}
                Err(error) => panic!("{name} {at}: {error}"),
                Ok((log, _)) => assert_eq!(log.end_offset(), end, "{name} {at}"),
            }
        }
    }
}

#[test]
fn a_wrong_length_at_the_end_of_a_segment_is_no_trace_of_a_crash() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    let mut last = 0;
    for at in 0.. {
        let position = log.size_bytes();
        append(&log, at, &["some value"]);
        if log.segment_count() > 1 {
            break;
        }
        last = position;
    }
    log.flush().unwrap();
    drop(log);
    let path = Path::new(DIR).join("00000000000000000000.log");
    for bit in 10..31 {
        let disk = disk.fork();
        let file = disk.open(&path, Mode::ReadWrite).unwrap();
        let mut length = [0; 4];
        file.read_at(&mut length, last + 8).unwrap();
        let wrong = i32::from_be_bytes(length) ^ (1 << bit);
        file.write_all_at(&mut [std::io::IoSlice::new(&wrong.to_be_bytes())], last + 8).unwrap();
        assert!(matches!(reopen(&disk, 0), Err(OpenError::Corrupt { .. })), "{bit}");
    }
}

#[test]
fn a_producer_may_repeat_any_of_its_last_batches_after_a_restart() {
    let sent: Vec<Bytes> = (0..8)
        .map(|sequence| {
            let mut builder = BatchBuilder::new(Codec::None);
            builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
            builder.append(NOW, None, Some(&[b'x'; 300]), &[]).unwrap();
            builder.build().unwrap()
        })
        .collect();
    for clean_stop in [false, true] {
        let disk = SimDisk::new();
        let (log, _) = reopen(&disk, 0).unwrap();
        for batch in &sent[..7] {
            log.append(batch.clone(), client()).unwrap();
        }
        assert!(log.segment_count() > 2, "{log:?}");
        let end = if clean_stop { log.close() } else { log.flush() }.unwrap();
        drop(log);
        let open = OpenLog { recovery_point: end, clean_stop, ..fresh() };
        let (log, _) = Log::open(Arc::new(disk), Path::new(DIR), Arc::new(small()), open).unwrap();
        for (offset, batch) in (0..).zip(&sent).skip(2).take(5) {
            let again = log.append(batch.clone(), client()).unwrap();
            assert!(again.duplicate && again.base_offset == Offset(offset), "{again:?}");
        }
        assert!(log.append(sent[1].clone(), client()).is_err(), "only five are remembered");
        assert_eq!(log.append(sent[7].clone(), client()).unwrap().base_offset, end);
    }
}

/// A batch of a producer that no other batch of the log has.
fn of_a_producer(value: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder = builder.producer(ProducerId(7), ProducerEpoch(0), 0);
    builder.append(NOW, None, Some(value), &[]).unwrap();
    builder.build().unwrap()
}

/// Appends a few batches without a producer; whatever a crash leaves then, none is known.
fn check_that_no_producer_comes_back(disk: &SimDisk, log: &Log) {
    assert_eq!(log.producers(), []);
    for at in 0..4 {
        append(log, NOW.0 + at, &["other"]);
    }
    log.flush().unwrap();
    for seed in 0..8 {
        let disk = disk.fork();
        disk.crash(seed);
        let (log, _) = reopen(&disk, 0).unwrap();
        assert_eq!(log.producers(), [], "seed {seed}");
    }
}

#[test]
fn a_producer_whose_batches_a_crash_took_does_not_come_back_with_the_next() {
    let disk = empty_disk();
    let (log, _) = reopen(&disk, 0).unwrap();
    append(&log, NOW.0, &["kept"]);
    let kept = log.size_bytes();
    log.append(of_a_producer(&[b'x'; 500]), client()).unwrap();
    append(&log, NOW.0, &["y".repeat(500).as_str()]);
    assert_eq!(log.segment_count(), 2, "{log:?}");
    log.flush().unwrap();
    drop(log);
    // A crash left the snapshot of the roll, but not all that it tells of.
    let path = |name: &str| Path::new(DIR).join(name);
    let snapshot = disk.open(&path("00000000000000000002.snapshot"), Mode::ReadWrite).unwrap();
    snapshot.sync_data().unwrap();
    let first = disk.open(&path("00000000000000000000.log"), Mode::ReadWrite).unwrap();
    first.set_len(kept + 10).unwrap();
    first.sync_data().unwrap();
    disk.remove_file(&path("00000000000000000002.log")).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();

    let (log, _) = reopen(&disk, 0).unwrap();
    assert_eq!(log.end_offset(), Offset(1));
    check_that_no_producer_comes_back(&disk, &log);
}

#[test]
fn a_producer_whose_batches_were_truncated_does_not_come_back_after_a_crash() {
    let disk = empty_disk();
    for to in [0, 1] {
        let disk = disk.fork();
        let (log, _) = reopen(&disk, 0).unwrap();
        append(&log, NOW.0, &["kept"]);
        log.append(of_a_producer(b"cut"), client()).unwrap();
        let end = log.close().unwrap();
        drop(log);
        let snapshot = Path::new(DIR).join("00000000000000000002.snapshot");
        disk.open(&snapshot, Mode::ReadWrite).unwrap().sync_data().unwrap();
        disk.sync_dir(Path::new(DIR)).unwrap();

        let open = OpenLog { recovery_point: end, clean_stop: true, ..fresh() };
        let (log, _) =
            Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(small()), open).unwrap();
        assert_eq!(log.producers().len(), 1);
        log.truncate_to(Offset(to), NOW).unwrap();
        check_that_no_producer_comes_back(&disk, &log);
    }
}

#[test]
fn what_a_failed_sync_lost_is_not_believed_after_a_restart() {
    let disk = SimDisk::new();
    let (log, _) = reopen(&disk, 0).unwrap();
    append(&log, 1, &["kept"]);
    log.flush().unwrap();
    append(&log, 2, &["lost"]);
    disk.inject(Fault::once(Call::Sync, ".log"));
    assert!(log.flush().is_err());
    drop(log);
    // The process starts again; the power did not fail, and memory still shows what was lost.
    let (log, report) = reopen(&disk, 1).unwrap();
    assert_eq!(log.end_offset(), Offset(1));
    assert!(report.bytes_cut > 0);
}
