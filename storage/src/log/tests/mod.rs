//! Logs on real directories and on the test disk, compared with what was put into them.

mod basics;
mod compact;
mod crash;
mod descriptors;
mod gaps;
mod lookups;
mod model;
mod order;
mod transactions;
mod trimming;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp,
    compression::Codec,
    records::{Batch, BatchBuilder},
};

use super::{Append, Appended, Log, LogConfig, OpenLog, Origin, ReadLimits};
use crate::{
    fs::{Disk, RealDisk},
    recovery::Recovered,
};

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A batch of records with these values, one millisecond apart from `at` on.
pub(crate) fn batch(at: i64, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for (millis, value) in (at..).zip(values) {
        builder.append(Timestamp(millis), Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

pub(crate) fn client() -> Append {
    Append { origin: Origin::Client, leader_epoch: LeaderEpoch(0), now: NOW }
}

pub(crate) fn fresh() -> OpenLog {
    OpenLog {
        recovery_point: Offset(0),
        log_start: Offset(0),
        gaps_below: Offset(0),
        clean_stop: false,
        settled: false,
        now: NOW,
    }
}

pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path, config: &LogConfig) -> (Log, Recovered) {
    Log::open(Arc::clone(disk), dir, Arc::new(config.clone()), fresh()).unwrap()
}

pub(crate) fn real() -> (tempfile::TempDir, Arc<dyn Disk>) {
    (tempfile::tempdir().unwrap(), Arc::new(RealDisk))
}

/// Segments of a few batches, an index entry for nearly each.
pub(crate) fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 100,
        segment_index_bytes: 1000,
        timestamp_after_max_ms: i64::MAX,
        ..LogConfig::default()
    }
}

pub(crate) fn everything() -> ReadLimits {
    ReadLimits { max_bytes: usize::MAX, upper: Offset(i64::MAX), at_least_one: true }
}

/// Batches from `from` to the end, read in as many goes as it takes.
pub(crate) fn read_all(log: &Log, mut from: Offset) -> Vec<Batch> {
    let mut batches = Vec::new();
    loop {
        let found = log.read(from, everything()).unwrap();
        if found.bytes == 0 {
            return batches;
        }
        for batch in Batch::split_all(found.records.to_bytes().unwrap()) {
            batches.push(batch.unwrap());
        }
        from = batches.last().unwrap().last_offset().next();
    }
}

pub(crate) fn append(log: &Log, at: i64, values: &[&str]) -> Appended {
    log.append(batch(at, values), client()).unwrap()
}
