//! One bit of one file is wrong: what is served is right, or somebody is told.

use std::{
    io::IoSlice,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use milena_protocol::{Offset, Uuid, records::Batch};

use super::{Dice, first_seed, runs};
use crate::{
    fs::{Disk, Mode, sim::SimDisk},
    log::tests::{NOW, batch, client, everything, small},
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

/// A log of several segments, stopped in order or not, and what is in it.
fn written(stopped_in_order: bool) -> (SimDisk, Vec<Bytes>) {
    let disk = SimDisk::new();
    let manager = manager(&disk).unwrap();
    let log = manager.create("a", Uuid([1; 16]), 0, &Arc::new(small()), NOW).unwrap();
    let mut sent = Vec::new();
    for at in 0..40 {
        let records = batch(NOW.0 + at, &["some value"]);
        log.append(records.clone(), client()).unwrap();
        sent.push(records);
        if at == 25 {
            log.flush().unwrap();
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
    /// A client that compares checksums sees it.
    ReadAsDamaged,
}

/// # Errors
/// Something wrong was served as right, or something was missing and nobody said so.
fn fate(disk: &SimDisk, sent: &[Bytes], flipped: &Path) -> Result<Fate, String> {
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
    // The file has no room for a checksum that Kafka would read, and where a log begins follows
    // from nothing else.
    let start_is_known = !flipped.ends_with("log-start-offset-checkpoint");
    let (start, end) = log.bounds();
    if (start_is_known && start != Offset(0)) || end.0 != sent.len() as i64 {
        return Err(format!("{start:?} to {end:?}"));
    }
    let mut fate = Fate::Harmless;
    let mut told = None;
    for at in start.0..end.0 {
        let Ok(found) = log.read(Offset(at), everything()) else {
            (fate, told) = (Fate::ReadAsDamaged, Some(at));
            continue;
        };
        let mut bytes = found.records.to_bytes().unwrap();
        match Batch::split(&mut bytes) {
            Err(_) => (fate, told) = (Fate::ReadAsDamaged, Some(at)),
            Ok(batch) => {
                let right = &sent[usize::try_from(at).unwrap()];
                // Whoever comes from the offset before was told there.
                if told == Some(at - 1) && batch.base_offset().0 == at {
                    continue;
                }
                if batch.base_offset().0 != at || batch.bytes().slice(17..) != right.slice(17..) {
                    return Err(format!("offset {at} holds offset {}", batch.base_offset().0));
                }
            }
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
        match fate(&disk, sent, path) {
            Ok(fate) => *fates.entry(fate).or_default() += 1,
            Err(what) => wrong.push(format!("seed {seed}: {} {at}.{bit}: {what}", path.display())),
        }
    }
    println!("{flips} flips from seed {first}: {fates:?}");
    assert!(wrong.is_empty(), "{} of {flips}:\n{}", wrong.len(), wrong.join("\n"));
}
