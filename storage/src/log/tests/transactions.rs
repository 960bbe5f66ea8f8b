//! What readers of committed records see, compared with what the batches of the log say, through
//! segments, truncation, deletion, compaction and crashes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use milena_protocol::{ProducerEpoch, ProducerId, compression::InflateLimit};

use super::*;
use crate::{
    compaction::{Pace, Pass, Policy},
    fs::{Mode, sim::SimDisk},
    index::AbortedTransaction,
    log::{AppendError, producing},
    producers::EndMarker,
};

const DIR: &str = "/log";

fn config() -> LogConfig {
    LogConfig { verify_transactions: false, ..small() }
}

fn open_at(disk: &SimDisk, open: OpenLog) -> Log {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(config()), open).unwrap().0
}

/// A disk on which a crash leaves the log's directory.
fn empty_disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn record(producer: i64, sequence: i32, transactional: bool, key: &str, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None)
        .producer(ProducerId(producer), ProducerEpoch(0), sequence)
        .transactional(transactional);
    builder.append(NOW, Some(key.as_bytes()), Some(value.as_bytes()), &[]).unwrap();
    builder.build().unwrap()
}

fn end(log: &Log, producer: i64, commit: bool) -> Result<Appended, AppendError> {
    let marker = EndMarker {
        producer: ProducerId(producer),
        epoch: ProducerEpoch(0),
        coordinator_epoch: 0,
        timestamp: NOW,
        commit,
    };
    log.append_marker(&marker, false, client())
}

/// Transactions of three producers across each other, long and short, among records that belong
/// to none. Goes on until the disk fails; returns the recovery point that was noted.
fn workload(log: &Log, steps: usize) -> Offset {
    let mut noted = Offset(0);
    let mut sequences = [0; 3];
    for step in 0..steps {
        let producer = step * 7 % 3;
        let value = format!("{step} {}", "v".repeat(step * 5 % 70));
        let appended = match step % 8 {
            5 => log.append(batch(NOW.0, &[&value]), client()),
            3 | 7 => end(log, producer as i64, step % 3 == 0),
            _ => {
                sequences[producer] += 1;
                let sequence = sequences[producer] - 1;
                log.append(record(producer as i64, sequence, true, "key", &value), client())
            }
        };
        if appended.is_err() || (step % 5 == 4 && log.flush().is_err()) {
            break;
        }
        if step % 11 == 10 {
            match log.recovery_point() {
                Ok(point) => noted = point,
                Err(_) => break,
            }
        }
    }
    noted
}

/// The aborted transactions of these batches, and where the first open one begins.
fn told_by(batches: &[Batch]) -> (Vec<AbortedTransaction>, Option<Offset>) {
    let mut open: BTreeMap<ProducerId, Offset> = BTreeMap::new();
    let mut aborted = Vec::new();
    for batch in batches {
        let producer = batch.producer_id();
        if let Some(marker) = producing::end_marker(batch) {
            let Some(first) = open.remove(&producer) else { continue };
            let last = batch.base_offset();
            let last_stable = open.values().min().copied().unwrap_or(last.next());
            if !marker.commit {
                aborted.push(AbortedTransaction { producer, first, last, last_stable });
            }
        } else if batch.is_transactional() {
            open.entry(producer).or_insert(batch.base_offset());
        }
    }
    (aborted, open.values().min().copied())
}

fn listed(log: &Log) -> Vec<AbortedTransaction> {
    let segments = log.state().segments.clone();
    segments.iter().flat_map(|segment| segment.aborts().entries().unwrap()).collect()
}

fn value_of(batch: &Batch) -> String {
    let record = batch.records(InflateLimit::default()).unwrap().next().unwrap().unwrap();
    String::from_utf8(record.value.unwrap().to_vec()).unwrap()
}

/// What a client makes of the answers to its fetches, by offset.
fn read_as_client(log: &Log, mut from: Offset, max_bytes: usize) -> BTreeMap<i64, String> {
    let mut seen = BTreeMap::new();
    loop {
        let upper = log.last_stable_offset(log.end_offset());
        let limits = ReadLimits { max_bytes, upper, at_least_one: true };
        let found = log.read_committed(from, limits).unwrap();
        if found.bytes == 0 {
            return seen;
        }
        let mut ahead: VecDeque<_> = found.aborted.into();
        let mut aborting = BTreeSet::new();
        for batch in Batch::split_all(found.records.to_bytes().unwrap()) {
            let batch = batch.unwrap();
            while ahead.front().is_some_and(|next| next.first <= batch.last_offset()) {
                aborting.insert(ahead.pop_front().unwrap().producer);
            }
            from = batch.last_offset().next();
            match producing::end_marker(&batch) {
                Some(marker) if !marker.commit => _ = aborting.remove(&batch.producer_id()),
                Some(_) => {}
                None if batch.is_transactional() && aborting.contains(&batch.producer_id()) => {}
                None if batch.record_count() == 0 => {}
                None => _ = seen.insert(batch.base_offset().0, value_of(&batch)),
            }
        }
    }
}

/// The same, said by all batches at once.
fn committed(batches: &[Batch], from: Offset) -> BTreeMap<i64, String> {
    let (aborted, open) = told_by(batches);
    let data = batches.iter().filter(|batch| !batch.is_control() && batch.record_count() > 0);
    data.filter(|batch| batch.base_offset() >= from)
        .filter(|batch| open.is_none_or(|open| batch.base_offset() < open))
        .filter(|batch| {
            !aborted.iter().any(|transaction| {
                batch.is_transactional()
                    && transaction.producer == batch.producer_id()
                    && (transaction.first..transaction.last).contains(&batch.base_offset())
            })
        })
        .map(|batch| (batch.base_offset().0, value_of(batch)))
        .collect()
}

fn check_readers(log: &Log, batches: &[Batch], context: &str) {
    for max_bytes in [1, 300, usize::MAX] {
        let start = log.start_offset();
        for from in [start, start.plus((log.end_offset().0 - start.0) / 2)] {
            let expected = committed(batches, from);
            assert_eq!(read_as_client(log, from, max_bytes), expected, "{context}: {from:?}");
        }
    }
}

/// The log says of its transactions what its batches do.
fn check(log: &Log, context: &str) {
    let batches = read_all(log, log.start_offset());
    let (aborted, open) = told_by(&batches);
    assert_eq!(listed(log), aborted, "{context}");
    let end = log.end_offset();
    log.on_high_watermark(end);
    assert_eq!(log.last_stable_offset(end), open.unwrap_or(end), "{context}");
    check_readers(log, &batches, context);
}

#[test]
fn what_is_stable_ends_before_what_is_open_or_whose_end_is_not_committed() {
    let log = open_at(&empty_disk(), fresh());
    let write = |producer, sequence| {
        log.append(record(producer, sequence, true, "key", "value"), client()).unwrap();
        log.end_offset()
    };
    append(&log, 0, &["of no transaction"]);
    assert_eq!(log.last_stable_offset(log.end_offset()), Offset(1));
    write(1, 0);
    write(2, 0);
    let stable = |log: &Log, high_watermark| {
        log.on_high_watermark(Offset(high_watermark));
        log.last_stable_offset(Offset(high_watermark)).0
    };
    assert_eq!((stable(&log, 1), stable(&log, 3)), (1, 1));
    end(&log, 1, true).unwrap();
    assert_eq!((stable(&log, 3), stable(&log, 4)), (1, 2));
    end(&log, 2, false).unwrap();
    assert_eq!((stable(&log, 4), stable(&log, 5)), (2, 5));
    write(1, 1);
    assert_eq!(stable(&log, 6), 5);
    log.advance_start(Offset(6)).unwrap();
    assert_eq!(stable(&log, 6), 6, "what is open was deleted");
}

#[test]
fn a_batch_outside_an_open_transaction_or_without_a_question_asked_is_refused() {
    let log = open_at(&empty_disk(), fresh());
    log.append(record(1, 0, true, "key", "value"), client()).unwrap();
    let plain = log.append(record(1, 1, false, "key", "value"), client());
    assert!(matches!(plain, Err(AppendError::InvalidTransactionState { .. })));

    log.set_config(Arc::new(small()));
    let asked = |producer: i64| {
        log.begin_verification(ProducerId(producer), ProducerEpoch(0), 0, false, NOW)
    };
    let unasked = log.append(record(2, 0, true, "key", "value"), client());
    assert!(matches!(unasked, Err(AppendError::InvalidTransactionState { .. })));
    assert_eq!(asked(1), None);
    let verified = Append { origin: Origin::Verified(asked(2).unwrap()), ..client() };
    log.append(record(2, 0, true, "key", "value"), verified).unwrap();
    log.append(record(2, 1, true, "key", "value"), client()).unwrap();

    let late = Append { origin: Origin::Verified(asked(3).unwrap()), ..client() };
    end(&log, 3, false).unwrap();
    let refused = log.append(record(3, 0, true, "key", "value"), late);
    assert!(matches!(refused, Err(AppendError::InvalidTransactionState { .. })));
}

#[test]
fn readers_leave_out_what_was_aborted_wherever_they_begin() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    workload(&log, 90);
    assert!(log.segment_count() > 8);
    assert!(listed(&log).len() > 8);
    check(&log, "as written");
    log.close().unwrap();
    let closed = OpenLog { recovery_point: log.end_offset(), clean_stop: true, ..fresh() };
    check(&open_at(&disk, closed), "after a stop in order");
    check(&open_at(&disk, fresh()), "after all was read again");
    workload(&open_at(&disk, closed), 30);
}

#[test]
fn a_truncated_log_forgets_the_ends_of_transactions() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    workload(&log, 90);
    while log.end_offset() > Offset(7) {
        log.truncate_to(log.end_offset().plus(-7), NOW).unwrap();
        check(&log, &format!("{log:?}"));
    }
    workload(&log, 40);
    log.truncate_fully(Offset(1000), NOW).unwrap();
    assert_eq!(log.last_stable_offset(Offset(1000)), Offset(1000));
    assert_eq!(listed(&log), []);
}

#[test]
fn a_log_that_begins_later_still_tells_what_was_aborted() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    workload(&log, 90);
    log.on_high_watermark(log.end_offset());
    let all = read_all(&log, Offset(0));
    for start in [5, 11, 30, 47, 61] {
        log.advance_start(Offset(start)).unwrap();
        check_readers(&log, &all, &format!("from {start}"));
    }
    let from = OpenLog { log_start: Offset(61), recovery_point: Offset(61), ..fresh() };
    log.flush().unwrap();
    log.recovery_point().unwrap();
    let log = open_at(&disk, from);
    log.on_high_watermark(log.end_offset());
    check_readers(&log, &all, "opened again");
}

#[test]
fn a_crash_between_any_two_changes_leaves_what_the_batches_say() {
    let empty = empty_disk();
    let whole = empty.fork();
    workload(&open_at(&whole, fresh()), 48);
    let changes = whole.changes() - empty.changes();
    assert!(changes > 80, "{changes}");
    for stop_after in 0..changes {
        let broken = empty.fork();
        broken.fail_after(stop_after);
        let disk: Arc<dyn Disk> = Arc::new(broken.clone());
        let opened = Log::open(disk, Path::new(DIR), Arc::new(config()), fresh());
        let noted = opened.map_or(Offset(0), |(log, _)| workload(&log, 48));
        for seed in 0..3 {
            let disk = broken.fork();
            disk.crash(seed * 1000 + stop_after);
            let context = format!("stopped after {stop_after}, seed {seed}, noted {noted:?}");
            let log = open_at(&disk, OpenLog { recovery_point: noted, ..fresh() });
            check(&log, &context);
            workload(&log, 8);
            check(&log, &context);
        }
    }
}

#[test]
fn a_list_that_is_damaged_and_snapshots_that_are_gone_are_made_good() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    workload(&log, 90);
    log.close().unwrap();
    let open = OpenLog { recovery_point: log.end_offset(), ..fresh() };
    let names: Vec<String> =
        disk.read_dir(Path::new(DIR)).unwrap().into_iter().map(|entry| entry.name).collect();
    let lists: Vec<_> = names.iter().filter(|name| name.ends_with(".txnindex")).collect();
    assert!(lists.len() > 4);
    for list in lists {
        for (snapshots, clean_stop) in [(true, true), (false, true), (true, false), (false, false)]
        {
            let disk = disk.fork();
            let file = disk.open(&Path::new(DIR).join(list), Mode::ReadWrite).unwrap();
            file.set_len(file.len().unwrap() - 1).unwrap();
            for name in names.iter().filter(|name| !snapshots && name.ends_with(".snapshot")) {
                disk.remove_file(&Path::new(DIR).join(name)).unwrap();
            }
            let context = format!("{list}, {snapshots}, {clean_stop}");
            check(&open_at(&disk, OpenLog { clean_stop, ..open }), &context);
            disk.crash(1);
            check(&open_at(&disk, OpenLog { clean_stop, ..open }), &format!("{context}, again"));
        }
    }
}

#[test]
fn a_full_disk_holds_the_recovery_point_back_until_the_lists_are_written() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    log.append(record(1, 0, true, "key", "value"), client()).unwrap();
    end(&log, 1, false).unwrap();
    log.flush().unwrap();
    let before = log.recovery_point().unwrap();
    assert_eq!(before, log.end_offset());
    disk.set_capacity(1);
    assert!(log.roll_if_due(Timestamp(NOW.0 + 30 * 24 * 3_600_000)).unwrap());
    log.flush().unwrap();
    assert!(log.recovery_point().unwrap() < before);
    disk.lift_capacity();
    let noted = log.recovery_point().unwrap();
    assert_eq!(noted, log.end_offset());
    disk.crash(1);
    check(&open_at(&disk, OpenLog { recovery_point: noted, ..fresh() }), "after a crash");
}

#[derive(Debug)]
struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _bytes: u64) -> bool {
        true
    }
}

/// Compacts all that may be, at this time.
fn compact(log: &Log, now: Timestamp) {
    let policy = Policy {
        min_dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 1000,
    };
    let found = log.cleanable(&policy, None, Offset(i64::MAX), now);
    let pass = Pass {
        from: found.from,
        until: found.until,
        delete_retention_ms: 1000,
        now,
        map_bytes: 1 << 20,
        seed: 7,
    };
    log.compact(&pass, &mut Unhurried).unwrap();
}

#[test]
fn compaction_leaves_the_last_committed_record_of_each_key_and_what_is_open() {
    let disk = empty_disk();
    let log = open_at(&disk, fresh());
    let mut sequences = [0; 3];
    for step in 0..150_usize {
        let producer = if step % 6 == 5 { step / 6 % 3 } else { step % 3 };
        if step % 6 == 5 && !(producer == 2 && step > 90) {
            end(&log, producer as i64, step % 4 != 1).unwrap();
        } else {
            let sequence = sequences[producer];
            sequences[producer] += 1;
            let (key, value) = (format!("key {}", step * 11 % 13), format!("value {step}"));
            let transactional = record(producer as i64, sequence, true, &key, &value);
            log.append(transactional, client()).unwrap();
        }
    }
    log.flush().unwrap();
    log.on_high_watermark(log.end_offset());
    let stable = log.last_stable_offset(log.end_offset());
    assert!(stable > Offset(60) && stable < Offset(140), "{stable:?}");
    let last_of_each = |log: &Log| -> BTreeMap<String, (i64, String)> {
        let visible = read_as_client(log, Offset(0), 300);
        let all = read_all(log, Offset(0));
        let by_key = visible.into_iter().map(|(offset, value)| {
            let batch = all.iter().find(|batch| batch.base_offset().0 == offset).unwrap();
            let record = batch.records(InflateLimit::default()).unwrap().next().unwrap();
            let key = String::from_utf8(record.unwrap().key.unwrap().to_vec()).unwrap();
            (key, (offset, value))
        });
        by_key.collect()
    };
    let (expected, bytes) = (last_of_each(&log), log.size_bytes());
    let unstable = |log: &Log| -> Vec<Bytes> {
        let all = read_all(log, Offset(0));
        let left = all.iter().filter(|batch| batch.base_offset() >= stable);
        left.map(|batch| batch.bytes().clone()).collect()
    };
    let open = unstable(&log);
    for late in [0, 1000, 2000, 3000] {
        compact(&log, Timestamp(NOW.0 + late));
        assert_eq!(last_of_each(&log), expected, "{late}");
        assert_eq!(unstable(&log), open, "{late}");
        assert_eq!(log.last_stable_offset(log.end_offset()), stable);
        let noted = log.recovery_point().unwrap();
        let reopened =
            open_at(&disk.fork(), OpenLog { recovery_point: noted, gaps_below: stable, ..fresh() });
        reopened.on_high_watermark(reopened.end_offset());
        assert_eq!(last_of_each(&reopened), expected, "{late}, opened again");
        assert_eq!(reopened.last_stable_offset(reopened.end_offset()), stable);
    }
    assert!(log.size_bytes() < bytes * 2 / 3, "{} of {bytes}", log.size_bytes());
}
