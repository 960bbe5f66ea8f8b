//! Files of a pool, over a disk in memory and over the real one.

use super::*;
use crate::fs::{
    RealDisk,
    sim::{Call, Fault, SimDisk},
};

const ROOT: &str = "/data";

fn pool(open_max: usize) -> (SimDisk, Pool) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(ROOT)).unwrap();
    (disk.clone(), Pool::new(Arc::new(disk), open_max))
}

fn create(pool: &Pool, name: &str) -> Arc<dyn File> {
    pool.open(&Path::new(ROOT).join(name), Mode::CreateNew).unwrap()
}

fn write(file: &dyn File, text: &str, position: u64) {
    file.write_all_at(&mut [IoSlice::new(text.as_bytes())], position).unwrap();
}

fn read(file: &dyn File) -> String {
    let mut text = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(&mut text, 0).unwrap();
    String::from_utf8(text).unwrap()
}

/// Opens and writes files until everything that can be closed is.
fn press(pool: &Pool) {
    let open = |at| {
        let path = Path::new(ROOT).join(format!("other-{at}"));
        let file = pool.open(&path, Mode::CreateOrOpen).unwrap();
        write(&*file, "x", 0);
        file
    };
    let others: Vec<_> = (0..20).map(open).collect();
    drop(others);
}

#[test]
fn many_more_files_than_the_budget_are_read_and_written() {
    let (_, pool) = pool(5);
    let files: Vec<_> = (0..100).map(|at| create(&pool, &at.to_string())).collect();
    for round in 0..3_u64 {
        for (at, file) in files.iter().enumerate() {
            write(&**file, &format!("{:03}", at % 1000), round * 3);
        }
        assert!(pool.open_files() <= 6, "{} are open", pool.open_files());
    }
    for (at, file) in files.iter().enumerate() {
        assert_eq!(read(&**file), format!("{at:03}").repeat(3));
        assert!(pool.open_files() <= 6, "{} are open", pool.open_files());
    }
    drop(files);
    assert_eq!(pool.open_files(), 0);
    assert_eq!(pool.shared.state().files.len(), 0);
}

#[test]
fn what_is_used_stays_open() {
    let (disk, pool) = pool(5);
    let hot = create(&pool, "hot");
    write(&*hot, "hot", 0);
    hot.sync_data().unwrap();
    let cold: Vec<_> = (0..50).map(|at| create(&pool, &at.to_string())).collect();
    cold.iter().for_each(|file| file.sync_data().unwrap());
    assert_eq!(read(&*hot), "hot");
    disk.inject(Fault::once(Call::Open, "hot"));
    for file in &cold {
        assert_eq!(file.len().unwrap(), 0);
        assert_eq!(read(&*hot), "hot", "not opened again");
    }
}

#[test]
fn a_file_is_found_under_its_new_name() {
    let (_, pool) = pool(2);
    pool.create_dir_all(Path::new("/data/t-0/deep")).unwrap();
    let file = create(&pool, "t-0/deep/0.log");
    write(&*file, "kept", 0);
    pool.rename(Path::new("/data/t-0/deep/0.log"), Path::new("/data/t-0/deep/1.log")).unwrap();
    press(&pool);
    assert_eq!(read(&*file), "kept");
    pool.rename(Path::new("/data/t-0"), Path::new("/data/t-0-delete")).unwrap();
    press(&pool);
    write(&*file, "!", 4);
    press(&pool);
    assert_eq!(read(&*file), "kept!");
    let renamed = pool.open(Path::new("/data/t-0-delete/deep/1.log"), Mode::Read).unwrap();
    assert_eq!(read(&*renamed), "kept!");
}

#[test]
fn a_file_without_a_name_stays_readable() {
    let (_, pool) = pool(2);
    let files = ["removed", "replaced"].map(|name| {
        let file = create(&pool, name);
        write(&*file, name, 0);
        file
    });
    write(&*create(&pool, "new"), "another", 0);
    press(&pool);
    pool.remove_file(Path::new("/data/removed")).unwrap();
    pool.rename(Path::new("/data/new"), Path::new("/data/replaced")).unwrap();
    press(&pool);
    assert_eq!(files.each_ref().map(|file| read(&**file)), ["removed", "replaced"]);
    let named = pool.open(Path::new("/data/replaced"), Mode::Read).unwrap();
    assert_eq!(read(&*named), "another");
}

#[test]
fn what_goes_with_its_directory_takes_no_descriptor() {
    let (_, pool) = pool(8);
    pool.create_dir_all(Path::new("/data/dir")).unwrap();
    let files: Vec<_> = (0..20).map(|at| create(&pool, &format!("dir/{at}"))).collect();
    let open = pool.open_files();
    pool.remove_dir_all(Path::new("/data/dir")).unwrap();
    assert_eq!(pool.open_files(), open);
    pool.create_dir_all(Path::new("/data/dir")).unwrap();
    write(&*create(&pool, "dir/0"), "another", 0);
    assert_eq!(files[0].len().unwrap_err().kind(), io::ErrorKind::NotFound);
    // Nor do those that were open keep others from having theirs.
    let hot = create(&pool, "hot");
    press(&pool);
    hot.sync_data().unwrap();
    assert!(files.iter().all(|file| file.len().is_err()));
    assert!(pool.open_files() <= 8, "{} are open", pool.open_files());
}

#[test]
fn a_file_that_was_lost_with_its_name_is_not_mistaken_for_its_successor() {
    let (disk, pool) = pool(2);
    let path = Path::new("/data/a");
    let old = create(&pool, "a");
    write(&*old, "old", 0);
    press(&pool);
    disk.inject(Fault::once(Call::Open, "/data/a"));
    pool.remove_file(path).unwrap();
    disk.lift_faults();
    let new = create(&pool, "a");
    write(&*new, "new", 0);
    pool.remove_file(path).unwrap();
    assert_eq!(old.len().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(read(&*new), "new");
}

#[test]
fn what_was_written_is_synced_before_it_is_closed() {
    let (disk, pool) = pool(2);
    let file = create(&pool, "a");
    write(&*file, "text", 0);
    press(&pool);
    assert!(disk.is_synced(Path::new("/data/a")).unwrap());
    assert_eq!(read(&*file), "text");
}

#[test]
fn a_sync_that_failed_before_closing_is_told_to_the_next() {
    let (disk, pool) = pool(2);
    let file = create(&pool, "a");
    write(&*file, "text", 0);
    disk.inject(Fault::once(Call::Sync, "/data/a"));
    press(&pool);
    disk.lift_faults();
    assert!(file.sync_data().is_err());
}

#[test]
fn a_removal_that_fails_leaves_the_pool_to_others() {
    let (_, pool) = pool(5);
    let file = create(&pool, "a");
    let failed = pool.orphan(Path::new(ROOT), Pooled::pin, |_| {
        // Whoever else had it lets go of it just then.
        drop(file);
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(pool.open_files(), 0);
}

#[test]
fn a_source_is_read_after_its_file_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(Arc::new(RealDisk), 1);
    let open = |name: &str| pool.open(&dir.path().join(name), Mode::CreateOrOpen).unwrap();
    let file = open("a");
    write(&*file, "text", 0);
    let source = Arc::clone(&file).as_source();
    for at in 0..5 {
        open(&at.to_string());
    }
    assert!(source.fd().is_some());
    let mut text = [0; 4];
    source.read_exact_at(&mut text, 0).unwrap();
    assert_eq!(&text, b"text");
    assert_eq!(read(&*file), "text");
}

#[test]
fn what_is_sent_has_half_of_the_budget_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(Arc::new(RealDisk), 4);
    let files: Vec<_> = (0..10)
        .map(|at| {
            let file = pool.open(&dir.path().join(at.to_string()), Mode::CreateNew).unwrap();
            write(&*file, &at.to_string(), 0);
            file
        })
        .collect();
    let sources: Vec<_> = files.iter().map(|file| Arc::clone(file).as_source()).collect();
    let again: Vec<_> = files.iter().map(|file| Arc::clone(file).as_source()).collect();
    for (at, source) in sources.iter().chain(&again).enumerate() {
        assert_eq!(source.fd().is_some(), at % 10 < 2, "source {at}");
        let mut text = [0];
        source.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(text, [b'0' + u8::try_from(at % 10).unwrap()]);
        assert!(pool.open_files() <= 5, "{} are open", pool.open_files());
    }
    drop((sources, again, files));
    assert_eq!((pool.open_files(), pool.shared.lent.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn one_file_is_closed_for_another_however_lately_all_were_used() {
    let (disk, pool) = pool(100);
    disk.set_files_max(10);
    let files: Vec<_> = (0..30).map(|at| create(&pool, &at.to_string())).collect();
    for file in &files {
        write(&**file, "text", 0);
        pool.sync_dir(Path::new(ROOT)).unwrap();
    }
    assert!(files.iter().all(|file| read(&**file) == "text"));
    assert_eq!(pool.read_dir(Path::new(ROOT)).unwrap().len(), 30);
}

#[test]
fn files_are_opened_and_closed_under_the_hands_of_many() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(Arc::new(RealDisk), 3);
    let files: Vec<_> = (0..20)
        .map(|at| pool.open(&dir.path().join(at.to_string()), Mode::CreateNew).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for part in 0..4_u64 {
            let files = &files;
            scope.spawn(move || {
                for round in 0..100 {
                    for file in files {
                        write(&**file, "four", (round * 4 + part) * 4);
                    }
                }
            });
        }
    });
    for file in &files {
        assert_eq!(read(&**file), "four".repeat(400));
    }
}
