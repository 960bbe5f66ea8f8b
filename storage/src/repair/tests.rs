//! Damage of every kind, repaired, verified again and opened.

use std::io::IoSlice;

use milena_protocol::Uuid;

use super::*;
use crate::{
    fs::sim::SimDisk,
    log::tests::{NOW, append, read_all, small},
    manager::{Choice, Identity, Manager},
};

const ROOT: &str = "/data";
const LOG: &str = "/data/a-0";

fn manager(disk: &SimDisk) -> Manager {
    let identity = Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    };
    Manager::open(Arc::new(disk.clone()), Path::new(ROOT), identity).unwrap()
}

/// A directory with one log of many segments, closed in order; and their bases.
fn written() -> (SimDisk, Vec<Offset>) {
    let disk = SimDisk::new();
    let manager = manager(&disk);
    let log = manager.create("a", Uuid([1; 16]), 0, &Arc::new(small()), NOW).unwrap();
    for at in 0..60 {
        append(&log, at, &["value", "another"]);
    }
    manager.close().unwrap();
    let names = disk.read_dir(Path::new(LOG)).unwrap();
    let parsed = names.iter().filter_map(|entry| name::parse(&entry.name));
    let bases = parsed.filter(|(_, kind)| *kind == Kind::Log).map(|(base, _)| base).collect();
    (disk, bases)
}

fn run(disk: &SimDisk, truncation: bool) -> Vec<What> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut steps = Vec::new();
    repair(&shared, Path::new(ROOT), Accepted { truncation }, NOW, &mut |step| {
        steps.push(step.what);
    })
    .unwrap();
    steps
}

fn findings(disk: &SimDisk) -> Vec<Fault> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = Vec::new();
    verify(&shared, Path::new(ROOT), Depth::Records, &mut |finding| found.push(finding.fault))
        .unwrap();
    found
}

/// The offsets of the batches that a broker would serve.
fn served(disk: &SimDisk) -> Vec<i64> {
    let config = Arc::new(small());
    let choose = |_: &PartitionName, _| Choice::Open(Arc::clone(&config));
    let (log, _) = manager(disk).load(1, NOW, &choose).unwrap().remove(0).outcome.unwrap();
    read_all(&log, log.start_offset()).iter().map(|batch| batch.base_offset().0).collect()
}

fn overwrite(disk: &SimDisk, file: &str, position: u64, bytes: &[u8]) {
    let file = disk.open(&Path::new(LOG).join(file), Mode::ReadWrite).unwrap();
    file.write_all_at(&mut [IoSlice::new(bytes)], position).unwrap();
}

#[test]
fn a_sound_directory_is_left_alone() {
    let (disk, _) = written();
    let before = disk.changes();
    assert_eq!((run(&disk, true), findings(&disk)), (vec![], vec![]));
    // The lock's file alone.
    assert!(disk.changes() <= before + 1);
}

#[test]
fn what_follows_from_the_records_is_made_anew_without_a_flag() {
    let (disk, bases) = written();
    let all = served(&disk.fork());
    for file in ["index", "timeindex"] {
        overwrite(&disk, &format!("{:020}.{file}", bases[1].0), 3, &[0xff; 9]);
    }
    let snapshot = disk.read_dir(Path::new(LOG)).unwrap().into_iter();
    let snapshot = snapshot.map(|entry| entry.name).find(|name| name.ends_with(".snapshot"));
    overwrite(&disk, &snapshot.unwrap(), 4, b"?");
    overwrite(&disk, EPOCHS_FILE, 0, b"?");
    disk.create_dir_all(Path::new("/data/b-0.00-delete")).unwrap();
    let gone = disk.open(&Path::new(LOG).join("00000000000000000000.log.deleted"), Mode::CreateNew);
    drop(gone.unwrap());
    assert!(findings(&disk).len() >= 4, "{:?}", findings(&disk));
    let steps = run(&disk, false);
    assert!(steps.contains(&What::Removed) && !steps.iter().any(What::is_left), "{steps:?}");
    assert!(steps.iter().any(|step| matches!(step, What::Rebuilt(it) if it.leftovers == 1)));
    assert_eq!((findings(&disk), run(&disk, false)), (vec![], vec![]));
    assert_eq!(served(&disk), all);
}

#[test]
fn records_are_given_up_only_if_that_is_accepted_and_no_others() {
    let (disk, bases) = written();
    let all = served(&disk.fork());
    overwrite(&disk, &format!("{:020}.log", bases[2].0), 70, b"?");
    disk.remove_file(&Path::new(LOG).join(format!("{:020}.log", bases[4].0))).unwrap();
    let found = findings(&disk);
    let told = run(&disk, false);
    assert!(told.iter().all(What::is_left), "{told:?}");
    let lost = [bases[2], bases[4]].map(|base| {
        let next = bases[bases.iter().position(|it| *it == base).unwrap() + 1];
        assert!(told.contains(&What::GivenUp { from: base, to: next, done: false }), "{told:?}");
        base.0..next.0
    });
    assert_eq!(findings(&disk), found, "nothing was changed");
    let done = run(&disk, true);
    assert!(!done.iter().any(What::is_left), "{done:?}");
    assert_eq!(findings(&disk), []);
    let kept: Vec<i64> =
        all.into_iter().filter(|at| !lost.iter().any(|lost| lost.contains(at))).collect();
    assert_eq!(served(&disk), kept);
}

#[test]
fn where_nothing_is_left_no_offset_is_used_again() {
    let (disk, bases) = written();
    for base in &bases {
        disk.remove_file(&Path::new(LOG).join(format!("{:020}.log", base.0))).unwrap();
    }
    assert_eq!(findings(&disk), [Fault::Missing { from: Offset(0), to: Offset(120) }]);
    assert!(run(&disk, false).iter().any(What::is_left));
    assert!(!run(&disk, true).iter().any(What::is_left));
    assert_eq!(findings(&disk), []);
    let config = Arc::new(small());
    let choose = |_: &PartitionName, _| Choice::Open(Arc::clone(&config));
    let (log, _) = manager(&disk).load(1, NOW, &choose).unwrap().remove(0).outcome.unwrap();
    assert_eq!(log.bounds(), (Offset(120), Offset(120)));
}

#[test]
fn a_directory_in_use_is_not_touched() {
    let (disk, _) = written();
    let _in_use = manager(&disk);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let refused = repair(&shared, Path::new(ROOT), Accepted::default(), NOW, &mut |_| {});
    assert!(matches!(refused, Err(RepairError::InUse)));
}

#[test]
fn where_a_log_begins_is_made_from_its_copy() {
    let (disk, _) = written();
    let path = Path::new(ROOT).join(LOG_STARTS);
    let first = manager(&disk);
    let choose = |_: &PartitionName, _| Choice::Open(Arc::new(small()));
    let (log, _) = first.load(1, NOW, &choose).unwrap().remove(0).outcome.unwrap();
    log.advance_start(Offset(1)).unwrap();
    first.close().unwrap();
    let file = disk.open(&path, Mode::ReadWrite).unwrap();
    file.write_all_at(&mut [IoSlice::new(b"?")], 9).unwrap();
    let steps = run(&disk, false);
    assert!(matches!(&steps[..], [What::Copied { .. }]), "{steps:?}");
    let starts = checkpoint::read_offsets(&disk, &path).unwrap();
    assert_eq!(starts, Found::Whole(Offsets::from([(("a".to_owned(), 0), Offset(1))])));
    assert_eq!(run(&disk, false), []);
}
