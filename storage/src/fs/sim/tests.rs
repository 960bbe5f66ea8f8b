//! The test disk forgets, tears, fills up and fails as its documentation says.

use std::collections::BTreeSet;

use super::*;

fn disk_with(path: &str) -> (SimDisk, Arc<dyn File>) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(path), Mode::CreateNew).unwrap();
    (disk, file)
}

fn write(file: &Arc<dyn File>, bytes: &[u8], position: u64) -> io::Result<()> {
    file.write_all_at(&mut [IoSlice::new(bytes)], position)
}

fn contents(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(Path::new(path), Mode::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    Some(bytes)
}

#[test]
fn what_was_synced_survives_every_crash() {
    for seed in 0..200 {
        let (disk, file) = disk_with("/d/a");
        write(&file, &[1; 10_000], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        assert!(disk.is_synced(Path::new("/d/a")).unwrap());
        disk.crash(seed);
        assert_eq!(contents(&disk, "/d/a"), Some(vec![1; 10_000]));
    }
}

#[test]
fn one_call_syncs_all_below_and_tells_of_what_failed() {
    for seed in 0..50 {
        let (disk, file) = disk_with("/d/a");
        let other = disk.open(Path::new("/d/b"), Mode::CreateNew).unwrap();
        for file in [&file, &other] {
            write(file, &[1; 10_000], 0).unwrap();
        }
        disk.inject(Fault::once(Call::Sync, "/d/a"));
        assert!(disk.sync_all(Path::new("/")).is_err());
        let before = disk.changes();
        disk.sync_all(Path::new("/d")).unwrap();
        assert!(disk.changes() > before, "what failed is not synced");
        disk.crash(seed);
        assert_eq!(contents(&disk, "/d/b"), Some(vec![1; 10_000]));
        assert_eq!(contents(&disk, "/d/a"), Some(vec![0; 10_000]));
    }
}

#[test]
fn of_unsynced_pages_any_subset_survives_and_any_may_be_torn() {
    let (mut lengths, mut pages, mut torn) = (BTreeSet::new(), BTreeSet::new(), false);
    for seed in 0..500 {
        let (disk, file) = disk_with("/d/a");
        file.set_len(12_288).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        write(&file, &[1; 16_384], 0).unwrap();
        disk.crash(seed);
        let left = contents(&disk, "/d/a").unwrap();
        lengths.insert(left.len());
        let is_whole = |page: &[u8]| page.iter().all(|&byte| byte == 1);
        pages.insert(left.chunks_exact(4096).take(3).map(is_whole).collect::<Vec<_>>());
        torn |= left.chunks_exact(4096).any(|page| page[0] == 1 && page[4095] == 0);
    }
    assert_eq!(pages.len(), 8, "every subset of three pages");
    assert!(lengths.contains(&12_288) && lengths.contains(&16_384) && lengths.len() > 10);
    assert!(torn);
}

#[test]
fn names_survive_up_to_some_point_in_their_order() {
    let mut left = BTreeSet::new();
    for seed in 0..200 {
        let (disk, file) = disk_with("/d/a");
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
        disk.open(Path::new("/d/c"), Mode::CreateNew).unwrap();
        disk.remove_file(Path::new("/d/b")).unwrap();
        disk.crash(seed);
        let names = disk.read_dir(Path::new("/d")).unwrap();
        left.insert(names.into_iter().map(|entry| entry.name).collect::<String>());
    }
    assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "bc", "c"]);
}

#[test]
fn the_same_seed_leaves_the_same_disk() {
    let (disk, file) = disk_with("/d/a");
    write(&file, &[1; 50_000], 0).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    let crashed = |seed| {
        let fork = disk.fork();
        fork.crash(seed);
        contents(&fork, "/d/a")
    };
    assert_eq!(crashed(3), crashed(3));
    assert_ne!(crashed(3), crashed(4));
}

#[test]
fn the_power_fails_after_a_number_of_changes() {
    let (disk, file) = disk_with("/d/a");
    disk.fail_after(1);
    write(&file, b"one", 0).unwrap();
    assert!(write(&file, b"two", 3).is_err());
    assert!(file.sync_data().is_err());
    assert!(disk.read_dir(Path::new("/d")).is_err());
    disk.crash(0);
    assert!(write(&file, b"two", 3).is_err(), "opened before the crash");
    assert!(disk.read_dir(Path::new("/d")).is_ok());
}

#[test]
fn a_failed_sync_drops_the_pages_for_good() {
    let (disk, file) = disk_with("/d/a");
    disk.sync_dir(Path::new("/d")).unwrap();
    write(&file, b"lost", 0).unwrap();
    disk.inject(Fault::once(Call::Sync, "/a"));
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "/d/a"), Some(b"lost".to_vec()), "still in the page cache");
    assert!(!disk.is_synced(Path::new("/d/a")).unwrap());
    disk.crash(0);
    assert_eq!(contents(&disk, "/d/a"), Some(vec![0; 4]));
}

#[test]
fn faults_strike_the_chosen_call_once() {
    let (disk, file) = disk_with("/d/a");
    disk.inject(Fault::once(Call::Write, "/d/").after(1).with_errno(28));
    write(&file, b"0123", 0).unwrap();
    let full = write(&file, b"4567", 4).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(contents(&disk, "/d/a"), Some(b"012345".to_vec()), "half of it arrived");
    disk.inject(Fault::once(Call::Read, "/d/a"));
    assert!(file.read_at(&mut [0; 4], 0).is_err());
    assert_eq!(file.read_at(&mut [0; 4], 0).unwrap(), 4);
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers_when_something_is_removed() {
    let (disk, file) = disk_with("/d/a");
    let other = disk.open(Path::new("/d/b"), Mode::CreateNew).unwrap();
    disk.set_capacity(10);
    other.allocate(4).unwrap();
    assert_eq!(write(&file, b"12345678", 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(contents(&disk, "/d/a"), Some(b"123456".to_vec()));
    write(&other, b"1234", 0).unwrap();
    assert_eq!(disk.space(Path::new("/")).unwrap(), Space { total: 10, available: 0 });
    disk.remove_file(Path::new("/d/b")).unwrap();
    write(&file, b"78", 6).unwrap();
    assert!(other.allocate(11).is_err());
}

#[test]
fn every_change_is_in_the_trace() {
    let (disk, file) = disk_with("/d/a");
    let path = |name: &str| PathBuf::from(name);
    write(&file, b"12", 5).unwrap();
    file.sync_data().unwrap();
    disk.note("acknowledged");
    disk.remove_dir_all(Path::new("/d")).unwrap();
    let expected = [
        Op::CreateDir { path: path("/d") },
        Op::SyncDir { path: path("/") },
        Op::Create { path: path("/d/a") },
        Op::Write { path: path("/d/a"), position: 5, len: 2 },
        Op::Sync { path: path("/d/a") },
        Op::Note("acknowledged".to_owned()),
        Op::Remove { path: path("/d/a") },
        Op::Remove { path: path("/d") },
    ];
    assert_eq!(disk.ops(), expected);
    assert_eq!(disk.changes(), 7);
}

#[test]
fn a_lock_ends_with_its_holder_or_with_the_power() {
    let disk = SimDisk::new();
    let path = Path::new("/.lock");
    let held = disk.lock(path).unwrap();
    assert_eq!(disk.lock(path).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(held);
    let held = disk.lock(path).unwrap();
    disk.crash(0);
    let again = disk.lock(path).unwrap();
    drop(held);
    assert_eq!(disk.lock(path).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(again);
}

#[test]
fn modes_and_names_behave_as_on_a_real_disk() {
    let (disk, file) = disk_with("/d/a");
    let kind = |path: &str, mode| {
        disk.open(Path::new(path), mode).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(kind("/d/b", Mode::Read), Err(ErrorKind::NotFound));
    assert_eq!(kind("/x/b", Mode::CreateNew), Err(ErrorKind::NotFound));
    assert_eq!(kind("/d/a", Mode::CreateNew), Err(ErrorKind::AlreadyExists));
    assert_eq!(kind("/d", Mode::Read), Err(ErrorKind::IsADirectory));
    assert_eq!(kind("/d/a", Mode::CreateOrOpen), Ok(()));
    let read_only = disk.open(Path::new("/d/a"), Mode::Read).unwrap();
    assert!(write(&read_only, b"x", 0).is_err());
    disk.remove_file(Path::new("/d/a")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    write(&file, b"an open file outlives its name", 0).unwrap();
    let moved = disk.rename(Path::new("/d/a"), Path::new("/a")).unwrap_err().kind();
    assert_eq!(moved, ErrorKind::CrossesDevices);
}
