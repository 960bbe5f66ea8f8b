//! What one append, one lookup and one read cost, on the temporary directory's file system.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use divan::{Bencher, counter::BytesCount};
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp,
    compression::Codec,
    records::{Batch, BatchBuilder},
};
use milena_storage::{
    fs::RealDisk,
    log::{Append, Log, LogConfig, OpenLog, Origin, ReadLimits},
};

fn main() {
    divan::main();
}

/// From one record of 1 KB to a batch of 1 MB.
const RECORDS: [usize; 3] = [1, 16, 1000];

#[divan::bench(args = RECORDS)]
fn append(bencher: Bencher<'_, '_>, records: usize) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let log = open(dir.path());
    let batch = batch(records);
    bencher.counter(BytesCount::new(batch.len())).bench_local(|| {
        if log.size_bytes() > KEPT_BYTES {
            log.truncate_fully(log.end_offset(), NOW).expect("truncated");
        }
        log.append(batch.clone(), CLIENT).expect("appended")
    });
}

/// What a checked batch costs before it reaches the log: the floor of the above.
#[divan::bench(args = RECORDS)]
fn check_only(bencher: Bencher<'_, '_>, records: usize) {
    let batch = batch(records);
    bencher
        .counter(BytesCount::new(batch.len()))
        .bench_local(|| Batch::split(&mut batch.clone()).expect("whole"));
}

/// Finding where a read begins and ends; the bytes themselves are not touched.
#[divan::bench(args = RECORDS)]
fn read(bencher: Bencher<'_, '_>, records: usize) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let log = filled(dir.path(), records);
    let end = log.end_offset();
    let mut from = 0;
    bencher.bench_local(|| {
        from = (from + 7919) % end.0;
        let limits = ReadLimits { max_bytes: 1 << 20, upper: end, at_least_one: true };
        log.read(Offset(from), limits).expect("read")
    });
}

#[divan::bench(args = RECORDS)]
fn find_by_timestamp(bencher: Bencher<'_, '_>, records: usize) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let log = filled(dir.path(), records);
    bencher.bench_local(|| log.find_by_timestamp(NOW, Offset(i64::MAX)).expect("looked up"));
}

fn open(dir: &Path) -> Log {
    let open = OpenLog {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        gaps_below: Offset::ZERO,
        clean_stop: false,
        settled: false,
        now: NOW,
    };
    Log::open(Arc::new(RealDisk), dir, Arc::new(LogConfig::default()), open).expect("opened").0
}

fn filled(dir: &Path, records: usize) -> Log {
    let log = open(dir);
    let batch = batch(records);
    while log.size_bytes() < FILLED_BYTES {
        log.append(batch.clone(), CLIENT).expect("appended");
    }
    log
}

fn batch(records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..records {
        builder.append(NOW, None, Some(&[b'x'; 1024]), &[]).expect("fits");
    }
    builder.build().expect("built")
}

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const CLIENT: Append = Append { origin: Origin::Client, leader_epoch: LeaderEpoch(0), now: NOW };
const KEPT_BYTES: u64 = 512 << 20;
const FILLED_BYTES: u64 = 64 << 20;
