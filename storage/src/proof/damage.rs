//! Files of random and of nearly right bytes: every parser answers, and none of them panics.

use std::{io::IoSlice, path::Path, sync::Arc};

use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Uuid, compression::Codec, records::BatchBuilder,
};

use super::{Dice, first_seed, runs};
use crate::{
    checkpoint,
    epochs::EpochCache,
    fs::{Disk, Mode, sim::SimDisk},
    index::{Extent, OffsetIndex, TimeIndex, TransactionIndex},
    log::{
        Log,
        tests::{NOW, client, fresh, small},
    },
    manager::{Identity, Manager},
    meta::{self, MetaProperties},
    producers::snapshot,
    verify::{Depth, FileBatches, verify},
};

const DIR: &str = "/data/a-0";

/// A directory with a file of every kind.
fn sound() -> SimDisk {
    let disk = SimDisk::new();
    let identity = Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    };
    let manager = Manager::open(Arc::new(disk.clone()), Path::new("/data"), identity).unwrap();
    let log = manager.create("a", Uuid([1; 16]), 0, &Arc::new(small()), NOW).unwrap();
    for sequence in 0..30 {
        let builder = BatchBuilder::new(Codec::ALL[usize::try_from(sequence).unwrap() % 5]);
        let mut builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
        builder.append(NOW, Some(b"key"), Some(&[b'v'; 90]), &[]).unwrap();
        log.append(builder.build().unwrap(), client()).unwrap();
    }
    manager
        .note_cleaned(&crate::manager::PartitionName::new("a", 0).unwrap(), &log, Offset(3))
        .unwrap();
    manager.close().unwrap();
    disk
}

/// Other bytes: flipped, cut, repeated, overwritten by numbers that are hard on parsers, or dice.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    const HARD: [i64; 8] = [0, -1, 1, i64::MAX, i64::MIN, i32::MAX as i64, 0x7f, 1 << 40];
    for _ in 0..=dice.of(4) {
        let at = dice.index(bytes.len().max(1));
        match dice.of(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.of(8),
            1 => bytes.truncate(at),
            2 => {
                bytes.extend((0..dice.of(40)).map(|_| dice.0.to_be_bytes()[3]).collect::<Vec<_>>())
            }
            3 => {
                let number = HARD[dice.index(HARD.len())].to_be_bytes();
                let len = [1, 2, 4, 8][dice.index(4)];
                for (to, from) in bytes.iter_mut().skip(at).zip(&number[8 - len..]) {
                    *to = *from;
                }
            }
            4 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(dice.index(60)).copied().collect();
                bytes.splice(at..at, piece);
            }
            5 => drop(bytes.drain(at..(at + dice.index(20)).min(bytes.len()))),
            _ => {
                for byte in bytes.iter_mut().skip(at).take(dice.index(30)) {
                    *byte = dice.roll().to_be_bytes()[0];
                }
            }
        }
    }
}

/// Every parser of files looks at what there is.
fn parse_all(disk: &SimDisk) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (root, dir) = (Path::new("/data"), Path::new(DIR));
    let _ = MetaProperties::load(disk, root);
    let _ = meta::load_topic_id(disk, dir);
    let _ = EpochCache::load(disk, dir);
    for name in [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "cleaner-offset-checkpoint",
    ] {
        let _ = checkpoint::read_offsets(disk, &root.join(name));
    }
    for at in snapshot::list(disk, dir).unwrap_or_default() {
        let _ = snapshot::read(disk, dir, at);
    }
    let extent = Extent { end: Offset(i64::MAX), log_bytes: 4000 };
    for entry in disk.read_dir(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.name.ends_with(".log") {
            for (_, batch) in FileBatches::open(disk, &path).unwrap().map_while(Result::ok) {
                if let Ok(records) = batch.records(Default::default()) {
                    records.map_while(Result::ok).for_each(drop);
                }
            }
        }
        let _ = OffsetIndex::open_sealed(&shared, &path, Offset(0), 4096, extent)
            .map(|it| it.entries());
        let _ =
            TimeIndex::open_sealed(&shared, &path, Offset(0), 4096, extent).map(|it| it.entries());
        let _ =
            TransactionIndex::open_sealed(&shared, &path, Offset(0), extent).map(|it| it.entries());
    }
    let _ = verify(&shared, root, Depth::Records, &mut |_| {});
    for clean_stop in [false, true] {
        let fork: Arc<dyn Disk> = Arc::new(disk.fork());
        let open = crate::log::OpenLog { clean_stop, ..fresh() };
        if let Ok((log, _)) = Log::open(fork, dir, Arc::new(small()), open) {
            let _ = log.find_by_timestamp(NOW, Offset(i64::MAX));
            let _ = log.close();
        }
    }
}

#[test]
fn no_parser_of_files_panics_whatever_it_reads() {
    let whole = sound();
    let paths: Vec<_> = ["/data", DIR]
        .iter()
        .flat_map(|dir| {
            let entries = whole.read_dir(Path::new(dir)).unwrap();
            entries.into_iter().filter(|entry| !entry.is_dir).map(|it| Path::new(dir).join(it.name))
        })
        .collect();
    let first = first_seed();
    let inputs = runs(100);
    for seed in first..first + inputs {
        let mut dice = Dice(seed);
        let disk = whole.fork();
        for _ in 0..=dice.of(2) {
            let file = disk.open(&paths[dice.index(paths.len())], Mode::ReadWrite).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_at(&mut bytes, 0).unwrap();
            mutate(&mut bytes, &mut dice);
            file.set_len(0).unwrap();
            file.write_all_at(&mut [IoSlice::new(&bytes)], 0).unwrap();
        }
        let outcome = std::panic::catch_unwind(|| parse_all(&disk));
        assert!(outcome.is_ok(), "again: MILENA_PROOF_SEED={seed} MILENA_PROOF_RUNS=1");
    }
    println!("{inputs} inputs from seed {first}");
}
