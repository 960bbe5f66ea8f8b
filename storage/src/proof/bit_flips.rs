//! One bit of one file is wrong: what is served is right, or somebody is told.

use std::{
    io::IoSlice,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use milena_protocol::{LeaderEpoch, Offset, Uuid, records::Batch};

use super::{Dice, first_seed, runs};
use crate::{
    fs::{Disk, Mode, sim::SimDisk},
    log::{
        Append,
        tests::{NOW, batch, client, everything, small},
    },
    manager::{Choice, Identity, Manager, PartitionName},
};

fn manager(disk: &SimDisk) -> Result<Manager, String> {
    let identity = Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Manager::open(disk, Path::new("/data"), identity).map_err(|error| error.to_string())
}

/// A log of several segments and leaders, stopped in order or not, and what is in it. It begins
/// within a segment.
fn written(stopped_in_order: bool) -> (SimDisk, Vec<Bytes>) {
    let disk = SimDisk::new();
    let manager = manager(&disk).unwrap();
    let log = manager.create("a", Uuid([1; 16]), 0, &Arc::new(small()), NOW).unwrap();
    let mut sent = Vec::new();
    for at in 0..40 {
        let records = batch(NOW.0 + at, &["some value"]);
        let leader_epoch = epoch_at(at);
        log.append(records.clone(), Append { leader_epoch, ..client() }).unwrap();
        sent.push(records);
        if at == 25 {
            log.flush().unwrap();
            log.advance_start(START).unwrap();
            manager.checkpoint().unwrap();
        }
    }
    if stopped_in_order {
        manager.close().unwrap();
    } else {
        log.flush().unwrap();
    }
    (disk, sent)
}

/// The leader that wrote at an offset.
fn epoch_at(offset: i64) -> LeaderEpoch {
    LeaderEpoch([(30, 4), (17, 1), (0, 0)].into_iter().find(|(from, _)| offset >= *from).unwrap().1)
}

fn files(disk: &SimDisk) -> Vec<PathBuf> {
    ["/data", "/data/a-0"]
        .iter()
        .flat_map(|dir| {
            let entries = disk.read_dir(Path::new(dir)).unwrap();
            entries.into_iter().filter(|entry| entry.len > 0).map(|it| Path::new(dir).join(it.name))
        })
        .collect()
}

/// How a flip was noticed, or that it did no harm.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Harmless,
    Refused,
    /// The reader is told, or a client that compares checksums sees it.
    ReadAsDamaged,
    /// The last batch after a crash has a later epoch than any before: nothing tells that its
    /// leader did not write there.
    LaterEpochAtTheEnd,
}

/// # Errors
/// Something wrong was served as right, or something was missing and nobody said so.
fn fate(disk: &SimDisk, sent: &[Bytes]) -> Result<Fate, String> {
    let Ok(manager) = manager(disk) else { return Ok(Fate::Refused) };
    let choose = |_: &PartitionName, _| Choice::Open(Arc::new(small()));
    let Ok(mut loaded) = manager.load(1, NOW, &choose) else { return Ok(Fate::Refused) };
    let Some(Ok((log, report))) = loaded.pop().map(|loaded| loaded.outcome) else {
        return Ok(Fate::Refused);
    };
    let sent = if report.bytes_cut > 0 && !manager.clean_stop() {
        // The end of a log that was not closed: a write that a crash tore looks the same. It is
        // told, and it is no more than the last batch.
        sent.get(..sent.len() - 1).unwrap_or_default()
    } else {
        sent
    };
    let (start, end) = log.bounds();
    if start != START || end.0 != sent.len() as i64 {
        return Err(format!("{start:?} to {end:?}"));
    }
    let mut fate = Fate::Harmless;
    for at in start.0..end.0 {
        let Ok(found) = log.read(Offset(at), everything()) else {
            fate = Fate::ReadAsDamaged;
            continue;
        };
        if found.bytes == 0 {
            return Err(format!("nothing at {at}"));
        }
        // Each batch has one record.
        for (at, batch) in (at..).zip(Batch::split_all(found.records.to_bytes().unwrap())) {
            let Ok(batch) = batch else {
                fate = Fate::ReadAsDamaged;
                break;
            };
            let right = &sent[usize::try_from(at).unwrap()];
            let is = (batch.base_offset().0, batch.leader_epoch(), batch.bytes().slice(16..));
            if is == (at, epoch_at(at), right.slice(16..)) {
                continue;
            }
            let last = at + 1 == end.0 && !manager.clean_stop();
            if last && is.1 > epoch_at(at) && (is.0, is.2) == (at, right.slice(16..)) {
                fate = Fate::LaterEpochAtTheEnd;
                continue;
            }
            return Err(format!("offset {at} holds offset {} of epoch {}", is.0, is.1.0));
        }
    }
    Ok(fate)
}

#[test]
fn a_flipped_bit_anywhere_is_never_served_as_right_and_hides_nothing() {
    let whole = [written(false), written(true)];
    let first = first_seed();
    let flips = runs(300);
    let mut wrong = Vec::new();
    let mut fates = std::collections::BTreeMap::<Fate, u64>::new();
    for seed in first..first + flips {
        let mut dice = Dice(seed);
        let (disk, sent) = &whole[dice.index(2)];
        let disk = disk.fork();
        let files = files(&disk);
        let path = &files[dice.index(files.len())];
        let file = disk.open(path, Mode::ReadWrite).unwrap();
        let at = dice.of(file.len().unwrap());
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        let bit = dice.of(8);
        byte[0] ^= 1 << bit;
        file.write_all_at(&mut [IoSlice::new(&byte)], at).unwrap();
        match fate(&disk, sent) {
            Ok(fate) => *fates.entry(fate).or_default() += 1,
            Err(what) => wrong.push(format!("seed {seed}: {} {at}.{bit}: {what}", path.display())),
        }
    }
    println!("{flips} flips from seed {first}: {fates:?}");
    assert!(wrong.is_empty(), "{} of {flips}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Within the first segment.
const START: Offset = Offset(3);
