//! Logs that are written, synced, noted, cut off and opened again, over and over.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp, Uuid, compression::Codec, records::BatchBuilder,
};

use super::{Dice, first_seed, runs};
use crate::{
    fs::{
        Disk, Mode, Pool,
        sim::{Call, Fault, SimDisk},
    },
    log::{
        Log, LogConfig,
        tests::{NOW, client, everything, read_all, small},
    },
    manager::{Choice, Identity, Manager},
    planted::{Bug, plant},
};

/// What a client knows: all it sent, one record in a batch, and how much of it was acknowledged.
#[derive(Default)]
struct Ledger {
    sent: Vec<Bytes>,
    acknowledged: usize,
    /// The log may begin anywhere up to here.
    deleted_to: usize,
}

/// How a process ended.
enum End {
    /// The power failed.
    Cut,
    /// Killed, or stopped in order, on a disk that works.
    Stopped,
    /// A sync failed; what was written after the last one that did not may be gone.
    Offline,
}

/// The disk as a process sees it that may have so many files open, if there is a limit.
fn seen(disk: &SimDisk, open_max: Option<usize>) -> Arc<dyn Disk> {
    let disk = Arc::new(disk.clone());
    match open_max {
        Some(open_max) => Arc::new(Pool::new(disk, open_max)),
        None => disk,
    }
}

/// Several lives of one log on one disk; what is wrong, if something is.
fn run(seed: u64, open_max: Option<usize>) -> Result<(), String> {
    let mut dice = Dice(seed);
    let disk = SimDisk::new();
    let mut ledger = Ledger::default();
    // Lists of times are believed, so that damage of theirs is not for every run.
    let scribbled = if seed.is_multiple_of(2) { "index" } else { ".index" };
    for _ in 0..4 {
        if dice.of(5) > 0 {
            disk.fail_after(dice.of(140));
        }
        // A file is synced before it is closed, and whoever ends without a sync of its own is not
        // told how that went.
        if dice.of(6) == 0 && open_max.is_none() {
            disk.inject(Fault::once(Call::Sync, ".log").after(dice.of(6)));
        }
        let end = live(seen(&disk, open_max), &mut dice, &mut ledger)?;
        if let End::Cut = end {
            disk.crash(dice.roll());
        }
        disk.lift_faults();
        scribble(&disk, &mut dice, scribbled);
        let times = scribbled == ".index";
        check(seen(&disk, open_max), &mut ledger, &end, times)?;
    }
    Ok(())
}

fn open(disk: Arc<dyn Disk>) -> Result<(Manager, Arc<Log>), String> {
    let identity = Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    };
    let manager =
        Manager::open(disk, Path::new("/data"), identity).map_err(|error| error.to_string())?;
    let config = Arc::new(LogConfig { segment_bytes: 700, ..small() });
    let choose = |_: &_, id: Option<Uuid>| match id {
        Some(_) => Choice::Open(Arc::clone(&config)),
        None => Choice::Leave,
    };
    manager.load(1, NOW, &choose).map_err(|error| error.to_string())?;
    let log = manager.create("a", Uuid([1; 16]), 0, &config, NOW);
    log.map_err(|error| error.to_string()).map(|log| (manager, log))
}

fn batch(sequence: usize, dice: &mut Dice) -> Bytes {
    let value = vec![b'a' + u8::try_from(sequence % 26).unwrap(); dice.index(300)];
    let time = time_of(sequence);
    let sequence = i32::try_from(sequence).unwrap();
    let mut builder =
        BatchBuilder::new(Codec::None).producer(ProducerId(7), ProducerEpoch(0), sequence);
    builder.append(time, Some(b"k"), Some(&value), &[]).unwrap();
    builder.build().unwrap()
}

/// Of the batch with this sequence; times go up and down.
fn time_of(sequence: usize) -> Timestamp {
    Timestamp(NOW.0 + i64::try_from(sequence * 37 % 101).unwrap())
}

/// One process, until it has done enough or its disk fails.
fn live(disk: Arc<dyn Disk>, dice: &mut Dice, ledger: &mut Ledger) -> Result<End, String> {
    let Ok((manager, log)) = open(Arc::clone(&disk)) else { return Ok(End::Cut) };
    for _ in 0..dice.of(80) {
        let done = match dice.of(16) {
            0..8 => {
                let records = batch(ledger.sent.len(), dice);
                let appended = log.append(records.clone(), client());
                let expected = ledger.sent.len();
                appended.is_ok_and(|appended| {
                    ledger.sent.push(records);
                    appended.base_offset.0 == expected as i64 && !appended.duplicate
                })
            }
            8..12 => match log.flush() {
                Ok(end) => {
                    ledger.acknowledged = ledger.acknowledged.max(usize::try_from(end.0).unwrap());
                    true
                }
                Err(_) => false,
            },
            12 | 13 => manager.checkpoint().is_ok(),
            14 => {
                let to = dice.index(ledger.acknowledged / 2 + 1);
                ledger.deleted_to = ledger.deleted_to.max(to);
                let deleted = log.advance_start(Offset(to as i64));
                deleted.is_ok_and(|deleted| {
                    deleted.iter().all(|segment| segment.remove(&*disk).is_ok())
                })
            }
            _ => retry(&log, ledger)?,
        };
        if !done {
            return Ok(match log.offline() {
                Some(_) if disk.space(Path::new("/")).is_ok() => End::Offline,
                _ => End::Cut,
            });
        }
    }
    match dice.of(3) {
        0 if manager.close().is_err() => Ok(End::Cut),
        1 => Ok(End::Cut),
        _ => Ok(End::Stopped),
    }
}

/// A producer that heard no answer sends its last batches again.
fn retry(log: &Log, ledger: &Ledger) -> Result<bool, String> {
    let start = usize::try_from(log.start_offset().0).unwrap();
    let first = ledger.sent.len().saturating_sub(5).max(start);
    for (at, records) in ledger.sent.iter().enumerate().skip(first) {
        match log.append(records.clone(), client()) {
            Ok(again) if again.duplicate && again.base_offset.0 == at as i64 => {}
            Ok(again) => return Err(format!("batch {at} again: {again:?}")),
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// What the log holds now is what was sent, in order, with all that was acknowledged.
fn check(disk: Arc<dyn Disk>, ledger: &mut Ledger, ended: &End, times: bool) -> Result<(), String> {
    let (_manager, log) = open(disk)?;
    let (start, end) = log.bounds();
    let (from, to) = (usize::try_from(start.0).unwrap(), usize::try_from(end.0).unwrap());
    if to < ledger.acknowledged || to > ledger.sent.len() {
        return Err(format!(
            "ends at {to}: {} sent, {} acknowledged",
            ledger.sent.len(),
            ledger.acknowledged
        ));
    }
    if matches!(ended, End::Stopped) && to < ledger.sent.len() {
        return Err(format!("ends at {to} of {} though nothing failed", ledger.sent.len()));
    }
    if from > ledger.deleted_to {
        return Err(format!("begins at {from}, deleted up to {}", ledger.deleted_to));
    }
    for at in from..to {
        let found = log.read(Offset(at as i64), everything()).map_err(|error| error.to_string())?;
        let records = found.records.to_bytes().map_err(|error| error.to_string())?;
        let first = milena_protocol::records::Batch::split(&mut records.clone())
            .map_err(|error| format!("offset {at}: {error}"))?;
        if first.base_offset().0 != at as i64
            || first.bytes().slice(61..) != ledger.sent[at].slice(61..)
        {
            return Err(format!("offset {at} holds {:?}", first.base_offset()));
        }
    }
    for time in (from..to).filter(|_| times).map(time_of) {
        let found = log.find_by_timestamp(time, end).map_err(|error| error.to_string())?;
        let first = (from..to).find(|&at| time_of(at) >= time);
        if found.map(|found| found.offset.0) != first.map(|at| at as i64) {
            return Err(format!("time {} was found at {found:?}, not at {first:?}", time.0));
        }
    }
    if read_all(&log, start).len() != to - from {
        return Err("there are more batches than offsets".to_owned());
    }
    ledger.sent.truncate(to);
    // What readers were shown after a start is promised, too.
    ledger.acknowledged = to;
    retry(&log, ledger)?;
    Ok(())
}

/// An index is a hint: any bytes will do.
fn scribble(disk: &SimDisk, dice: &mut Dice, suffix: &str) {
    let dir = Path::new("/data/a-0");
    let Ok(entries) = disk.read_dir(dir) else { return };
    let indexes: Vec<_> = entries.iter().filter(|entry| entry.name.ends_with(suffix)).collect();
    if indexes.is_empty() || dice.of(2) == 0 {
        return;
    }
    let file = disk.open(&dir.join(&indexes[dice.index(indexes.len())].name), Mode::ReadWrite);
    let file = file.unwrap();
    let mut bytes = [0; 8];
    let at = dice.of(6) * 8;
    if dice.of(2) == 0 {
        bytes = dice.roll().to_be_bytes();
    } else if file.read_at(&mut bytes, at).unwrap() == bytes.len() {
        // An entry that looks well, but names the batch behind the one that it leads to.
        let relative = u32::from_be_bytes(bytes[..4].try_into().unwrap()).wrapping_add(1);
        bytes[..4].copy_from_slice(&relative.to_be_bytes());
    }
    file.write_all_at(&mut [std::io::IoSlice::new(&bytes)], at).unwrap();
}

#[test]
fn whatever_the_disk_does_what_was_acknowledged_is_there_once_and_in_order() {
    let first = first_seed();
    let seeds = runs(200);
    for seed in first..first + seeds {
        if let Err(wrong) = run(seed, None) {
            panic!("seed {seed}: {wrong}; again: MILENA_PROOF_SEED={seed} MILENA_PROOF_RUNS=1");
        }
    }
    println!("{seeds} seeds from {first}, {} crash states", 4 * seeds);
}

#[test]
fn files_that_are_closed_and_opened_again_lose_nothing() {
    let first = first_seed();
    for seed in first..first + runs(100) {
        assert_eq!(run(seed, Some(1)), Ok(()), "seed {seed}");
    }
}

#[test]
fn what_recovery_cut_from_a_file_whole_stays_gone_after_the_next_crash() {
    assert_eq!(run(1155, None), Ok(()));
}

#[test]
fn times_that_were_noted_late_are_not_believed_before_they_are_durable() {
    for seed in [100_019, 203_137, 303_457] {
        assert_eq!(run(seed, None), Ok(()), "seed {seed}");
    }
}

#[test]
fn every_planted_bug_is_caught() {
    const SEEDS_MAX: u64 = 400;
    let mut missed = Vec::new();
    let bugs = [
        Bug::ActiveNotSynced,
        Bug::SealedNotSynced,
        Bug::DirectoryNotSynced,
        Bug::IndexTrusted,
        Bug::TailCutWithinBatch,
        Bug::ChecksumNotCompared,
        Bug::RecoveredNotSynced,
        Bug::ProducersForgotten,
        Bug::RecoveryPointTooHigh,
        Bug::TimesNotSynced,
        Bug::CheckpointNotSynced,
        Bug::CleanStopMarkKept,
        Bug::FailedSyncIgnored,
    ];
    for bug in bugs {
        plant(Some(bug));
        let caught = (0..SEEDS_MAX).find_map(|seed| Some((seed, run(seed, None).err()?)));
        plant(None);
        match caught {
            Some((seed, wrong)) => println!("{bug:?}: caught after {} seeds: {wrong}", seed + 1),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not caught in {SEEDS_MAX} seeds");
}
