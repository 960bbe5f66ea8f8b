//! Many partitions that are made and go at once, on a disk that loses power at any moment.

use std::{ops::Range, path::Path};

use super::*;
use crate::{
    fs::sim::{Call, Fault, Op, SimDisk},
    log::tests::{NOW, append, small},
    manager::{Choice, Identity, Loaded},
};

const ROOT: &str = "/data";
const ID: Uuid = Uuid([1; 16]);

fn manager(disk: &SimDisk) -> Manager {
    let identity = Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    };
    Manager::open(Arc::new(disk.clone()), Path::new(ROOT), identity).unwrap()
}

fn names(partitions: Range<i32>) -> Vec<PartitionName> {
    partitions.map(|partition| PartitionName::new("many", partition).unwrap()).collect()
}

fn make(manager: &Manager, names: &[PartitionName]) -> Vec<Result<Arc<Log>, ManagerError>> {
    manager.create_all(names, ID, &Arc::new(small()), NOW)
}

fn make_well(manager: &Manager, names: &[PartitionName]) -> Vec<Arc<Log>> {
    make(manager, names).into_iter().map(Result::unwrap).collect()
}

fn load(manager: &Manager, choose: impl Fn(Option<Uuid>) -> bool + Sync) -> Vec<Loaded> {
    let config = Arc::new(small());
    let choose = |_: &PartitionName, id| match id {
        None => Choice::Leave,
        Some(_) if choose(id) => Choice::Open(Arc::clone(&config)),
        Some(_) => Choice::Delete,
    };
    manager.load(2, NOW, &choose).unwrap()
}

/// Few and many, which are made durable in different ways.
const COUNTS: [i32; 2] = [3, 20];

#[test]
fn whatever_a_crash_leaves_of_many_that_are_made_they_can_be_made_again_and_then_stay() {
    for count in COUNTS {
        let before = SimDisk::new();
        drop(manager(&before));
        let names = names(0..count);
        let steps = {
            let whole = before.fork();
            make_well(&manager(&whole), &names);
            whole.changes() - before.changes()
        };
        for step in 0..=steps {
            let broken = before.fork();
            let first = manager(&broken);
            broken.fail_after(step);
            let made = make(&first, &names).iter().all(Result::is_ok);
            drop(first);
            // Killed, or without power.
            for seed in [None, Some(1), Some(2)] {
                let disk = broken.fork();
                match seed {
                    Some(seed) => disk.crash(step * 10 + seed),
                    None => disk.lift_faults(),
                }
                let second = manager(&disk);
                let loaded = load(&second, |_| true);
                let found = loaded.iter().filter(|it| it.outcome.is_ok()).count();
                assert!(!made || found == names.len(), "{count} {step} {seed:?}: {found} are left");
                for log in make_well(&second, &names) {
                    append(&log, 0, &["value"]);
                    log.flush().unwrap();
                }
                drop(second);
                disk.crash(step);
                let third = manager(&disk);
                let ends: Vec<i64> = load(&third, |_| true)
                    .into_iter()
                    .map(|loaded| loaded.outcome.unwrap().0.end_offset().0)
                    .collect();
                assert_eq!(ends, vec![1; names.len()], "{count} {step} {seed:?}");
            }
        }
    }
}

#[test]
fn many_that_were_deleted_do_not_come_back() {
    for count in COUNTS {
        let before = SimDisk::new();
        let names = names(0..count);
        for log in make_well(&manager(&before), &names) {
            append(&log, 0, &["value"]);
            log.flush().unwrap();
        }
        let steps = u64::try_from(count).unwrap() + 1;
        for step in 0..=steps {
            let disk = before.fork();
            let first = manager(&disk);
            load(&first, |_| true);
            disk.fail_after(step);
            let deleted = first.delete_all(&names).iter().all(Result::is_ok);
            assert_eq!(deleted, step == steps);
            drop(first);
            disk.crash(step);
            let second = manager(&disk);
            // The metadata do not know the topic any more.
            assert!(load(&second, |_| false).is_empty());
            let dirs = disk.read_dir(Path::new(ROOT)).unwrap();
            assert!(dirs.iter().all(|entry| !entry.is_dir), "{step}: {dirs:?}");
        }
    }
}

#[test]
fn what_could_not_be_made_durable_is_gone_and_made_anew() {
    for (count, call, part) in [(3, Call::SyncDir, ROOT), (20, Call::Sync, "many-7")] {
        let disk = SimDisk::new();
        let manager = manager(&disk);
        let names = names(0..count);
        disk.inject(Fault::once(call, part));
        assert!(make(&manager, &names).iter().any(Result::is_err));
        for log in make_well(&manager, &names) {
            append(&log, 0, &["value"]);
            log.flush().unwrap();
        }
        drop(manager);
        disk.crash(1);
        let manager = self::manager(&disk);
        assert_eq!(load(&manager, |_| true).len(), names.len());
    }
}

#[test]
fn of_logs_that_nobody_writes_to_only_the_checkpoints_are_written() {
    let disk = SimDisk::new();
    let manager = manager(&disk);
    let logs = make_well(&manager, &names(0..20));
    logs.iter().for_each(|log| log.assign_epoch(milena_protocol::LeaderEpoch(3)));
    let made = disk.ops().len();
    manager.checkpoint().unwrap();
    manager.close().unwrap();
    let ops = disk.ops().split_off(made);
    let in_a_log = |op: &&Op| format!("{op:?}").contains("many-");
    assert_eq!(ops.iter().find(in_a_log), None);
}

#[test]
fn indexes_come_with_the_first_batch() {
    let disk = SimDisk::new();
    let manager = manager(&disk);
    let logs = make_well(&manager, &names(0..1));
    let files = || -> Vec<String> {
        let entries = disk.read_dir(&Path::new(ROOT).join("many-0")).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(files(), ["00000000000000000000.log", "partition.metadata"]);
    append(&logs[0], 0, &["value"]);
    assert_eq!(
        files(),
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "partition.metadata"
        ]
    );
}
