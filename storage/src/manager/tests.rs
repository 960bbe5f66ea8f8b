//! A directory of logs: opened, closed, crashed and cleaned up after.

use std::sync::Arc;

use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Uuid, compression::Codec, records::BatchBuilder,
};

use super::*;
use crate::{
    compaction::{Pace, Pass, Policy},
    fs::sim::{Call, Fault, SimDisk},
    log::{
        Append, Origin,
        tests::{NOW, append, batch, client, everything, read_all, small},
    },
};

const ROOT: &str = "/data";

fn identity() -> Identity {
    Identity {
        cluster_id: None,
        node_id: 1,
        new_cluster_id: "cluster".to_owned(),
        new_directory_id: Uuid([9; 16]),
    }
}

fn manager(disk: &SimDisk) -> Manager {
    Manager::open(Arc::new(disk.clone()), Path::new(ROOT), identity()).unwrap()
}

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn create(manager: &Manager, topic: &str, number: u8) -> Arc<Log> {
    manager.create(topic, id(number), 0, &Arc::new(small()), NOW).unwrap()
}

fn name(topic: &str) -> PartitionName {
    PartitionName::new(topic, 0).unwrap()
}

fn load(manager: &Manager) -> Vec<Loaded> {
    let config = Arc::new(small());
    manager.load(3, NOW, &|_, _| Choice::Open(Arc::clone(&config))).unwrap()
}

#[test]
fn a_directory_that_was_just_made_outlives_a_crash_with_what_is_in_it() {
    let root = Path::new("/srv/milena/data");
    let disk = SimDisk::new();
    let open = || Manager::open(Arc::new(disk.clone()), root, identity()).unwrap();
    let first = open();
    let log = create(&first, "a", 1);
    append(&log, 0, &["value"]);
    log.flush().unwrap();
    drop((log, first));
    disk.crash(0);
    let second = open();
    assert_eq!(read_all(&create(&second, "a", 1), Offset(0)).len(), 1);
}

#[test]
fn after_a_clean_stop_nothing_is_read_again() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    assert_eq!(first.meta().cluster_id, "cluster");
    for (topic, number) in [("a", 1), ("b", 2)] {
        let log = create(&first, topic, number);
        for at in 0..40 {
            append(&log, at, &["value", "another"]);
        }
        log.advance_start(Offset(5)).unwrap();
    }
    first.close().unwrap();
    drop(first);

    let second = manager(&disk);
    assert!(second.clean_stop());
    let loaded = load(&second);
    let found: Vec<_> = loaded.iter().map(|it| (it.name.to_string(), it.topic_id)).collect();
    assert_eq!(found, [("a-0".to_owned(), Some(id(1))), ("b-0".to_owned(), Some(id(2)))]);
    for loaded in loaded {
        let (log, report) = loaded.outcome.unwrap();
        assert_eq!((report.batches_checked, report.indexes_rebuilt), (0, 0));
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(5), Offset(80)));
        assert_eq!(append(&log, 80, &["more"]).base_offset, Offset(80));
        assert_eq!(read_all(&log, Offset(5)).len(), 39);
    }
    drop(second);
    assert!(!manager(&disk).clean_stop(), "that was no clean stop");
}

#[test]
fn after_a_crash_what_lies_past_the_recovery_point_is_read_again() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    let log = create(&first, "a", 1);
    append(&log, 1, &["checked", "in"]);
    log.flush().unwrap();
    first.checkpoint().unwrap();
    append(&log, 3, &["synced"]);
    log.flush().unwrap();
    disk.crash(1);
    drop((log, first));

    let second = manager(&disk);
    let (log, report) = load(&second).pop().unwrap().outcome.unwrap();
    assert_eq!(report.batches_checked, 1);
    assert_eq!((log.end_offset(), log.flushed_offset()), (Offset(3), Offset(3)));
}

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    let open = |identity| Manager::open(Arc::new(disk.clone()), Path::new(ROOT), identity);
    assert!(matches!(open(identity()), Err(ManagerError::Locked { .. })));
    drop(first);
    let other = Identity { node_id: 2, ..identity() };
    assert!(matches!(open(other), Err(ManagerError::WrongOwner(_))));
    let other = Identity { cluster_id: Some("other".to_owned()), ..identity() };
    assert!(matches!(open(other), Err(ManagerError::WrongOwner(_))));
}

#[test]
fn a_deleted_partition_does_not_come_back() {
    for crash in 0..20 {
        let disk = SimDisk::new();
        let first = manager(&disk);
        let log = create(&first, "a", 1);
        append(&log, 1, &["old"]);
        log.flush().unwrap();
        first.checkpoint().unwrap();
        first.delete(&name("a")).unwrap();
        assert!(log.append(batch(1, &["x"]), client()).is_err());
        disk.crash(crash);
        drop((log, first));

        let second = manager(&disk);
        assert!(load(&second).is_empty());
        let log = create(&second, "a", 2);
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(0), Offset(0)));
    }
}

#[test]
fn a_topic_of_the_same_name_begins_anew_while_the_old_one_is_still_read() {
    let disk = SimDisk::new();
    let manager = manager(&disk);
    let old = create(&manager, "a", 1);
    append(&old, 1, &["old"]);
    old.flush().unwrap();
    manager.checkpoint().unwrap();
    let found = old.read(Offset(0), everything()).unwrap();
    let gone = manager.delete(&name("a")).unwrap();
    let new = create(&manager, "a", 2);
    append(&new, 1, &["new", "newer"]);
    gone.remove(&disk).unwrap();
    assert!(found.records.to_bytes().is_ok());
    assert_eq!(new.end_offset(), Offset(2));
    let point = manager.noted().recovery_points.get(&("a".to_owned(), 0)).copied();
    assert_eq!(point, None, "nothing of the old one is believed of the new one");
}

#[test]
fn another_topics_directory_is_not_adopted() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    append(&create(&first, "a", 1), 1, &["value"]);
    let again = first.create("a", id(2), 0, &Arc::new(small()), NOW);
    assert!(
        matches!(again, Err(ManagerError::ForeignTopic { found: Some(found), .. }) if found == id(1))
    );
    drop(first);
    let second = manager(&disk);
    let again = second.create("a", id(2), 0, &Arc::new(small()), NOW);
    assert!(matches!(again, Err(ManagerError::ForeignTopic { .. })));
    let bad = second.create("../a", id(2), 0, &Arc::new(small()), NOW);
    assert!(matches!(bad, Err(ManagerError::BadName { .. })));
}

#[test]
fn what_is_chosen_to_go_goes_and_what_is_left_alone_stays() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    for (topic, number) in [("go", 1), ("stay", 2)] {
        append(&create(&first, topic, number), 1, &["value"]);
    }
    first.close().unwrap();
    drop(first);
    let second = manager(&disk);
    let loaded = second.load(1, NOW, &|name, _| match name.topic() {
        "go" => Choice::Delete,
        _ => Choice::Leave,
    });
    assert!(loaded.unwrap().is_empty());
    assert!(!disk.exists(Path::new("/data/go-0")));
    assert_eq!(create(&second, "stay", 2).end_offset(), Offset(1));
}

#[test]
fn where_compaction_came_to_is_known_after_a_crash_but_not_to_another_log() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    let log = create(&first, "kept", 1);
    let gone = create(&first, "gone", 2);
    assert_eq!(first.cleaned_to(&name("kept")), None);
    first.note_cleaned(&name("kept"), &log, Offset(7)).unwrap();
    first.note_cleaned(&name("gone"), &gone, Offset(8)).unwrap();
    let _ = first.delete(&name("gone")).unwrap();
    let begun_again = create(&first, "gone", 3);
    // Whoever compacted the old one is late.
    first.note_cleaned(&name("gone"), &gone, Offset(9)).unwrap();
    assert_eq!(first.cleaned_to(&name("gone")), None);
    disk.crash(1);
    drop((first, begun_again));
    let second = manager(&disk);
    assert_eq!(second.cleaned_to(&name("kept")), Some(Offset(7)));
    assert_eq!(second.cleaned_to(&name("gone")), None);
    let path = Path::new(ROOT).join("cleaner-offset-checkpoint");
    let noted = checkpoint::read_offsets(&disk, &path).unwrap();
    assert_eq!(noted, Found::Whole([(("kept".to_owned(), 0), Offset(7))].into()));
}

/// Writes while a log is copied from `/data` to `/other`, moves it there and writes on, until the
/// disk fails; every number that a sync has covered.
fn write_and_move(disk: &SimDisk) -> (i64, Result<(), Box<dyn std::error::Error>>) {
    let mut synced = 0;
    let mut work = || {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let open = |root| Manager::open(Arc::clone(&shared), Path::new(root), identity());
        let (here, there) = (open(ROOT)?, open("/other")?);
        let source = here.create("a", id(1), 0, &Arc::new(small()), NOW)?;
        let mut write = |log: &Log, count: i64| -> Result<(), Box<dyn std::error::Error>> {
            for _ in 0..count {
                log.append(batch(log.end_offset().0, &["some value"]), client())?;
            }
            synced = log.flush()?.0;
            Ok(())
        };
        write(&source, 30)?;
        source.advance_start(Offset(3))?;
        let copy = there.begin_copy(&name("a"), id(1), &source, None, NOW)?;
        copy.copy_some(&source, NOW)?;
        write(&source, 5)?;
        copy.flush()?;
        while copy.copy_some(&source, NOW)? > 0 {}
        let moved = there.last_step().take_over(&copy, &source, NOW)?;
        here.delete(&name("a"))?.remove(&**here.disk())?;
        assert!(source.append(batch(0, &["late"]), client()).is_err(), "the old log is closed");
        write(&moved, 5)?;
        there.checkpoint()?;
        write(&moved, 2)?;
        Ok(())
    };
    let done = work();
    (synced, done)
}

#[test]
fn a_crash_at_any_moment_of_a_move_leaves_all_that_was_synced_in_one_of_the_directories() {
    let whole = SimDisk::new();
    let (end, done) = write_and_move(&whole);
    done.unwrap();
    assert_eq!(end, 42);
    for stop_after in 0..whole.changes() {
        let broken = SimDisk::new();
        broken.fail_after(stop_after);
        let (synced, _) = write_and_move(&broken);
        for seed in 0..3 {
            let disk = broken.fork();
            disk.crash(stop_after * 10 + seed);
            let ends: Vec<i64> = [ROOT, "/other"]
                .into_iter()
                .flat_map(|root| {
                    let manager =
                        Manager::open(Arc::new(disk.clone()), Path::new(root), identity()).unwrap();
                    load(&manager)
                })
                .map(|loaded| {
                    let (log, _) = loaded.outcome.unwrap();
                    let batches = read_all(&log, log.start_offset());
                    let offsets: Vec<i64> = batches.iter().map(|it| it.base_offset().0).collect();
                    assert!(offsets.windows(2).all(|pair| pair[1] == pair[0] + 1), "{offsets:?}");
                    assert_eq!(offsets.last().map_or(0, |last| last + 1), log.end_offset().0);
                    log.end_offset().0
                })
                .collect();
            let kept = ends.iter().max().copied().unwrap_or(0);
            assert!(kept >= synced, "{stop_after} {seed}: {ends:?}, {synced} were synced");
        }
    }
}

/// A directory that logs move to.
fn other(disk: &SimDisk) -> Manager {
    Manager::open(Arc::new(disk.clone()), Path::new("/other"), identity()).unwrap()
}

fn move_to(there: &Manager, source: &Log, cleaned_to: Option<Offset>) -> Arc<Log> {
    let copy = there.begin_copy(&name("a"), id(1), source, cleaned_to, NOW).unwrap();
    while copy.copy_some(source, NOW).unwrap() > 0 {}
    there.last_step().take_over(&copy, source, NOW).unwrap()
}

/// Whatever the log has of records before its end, what comes next is what would have come.
fn assert_is_continued(disk: &SimDisk, moved: &Log, source: &Log, there: Manager) {
    assert_eq!(moved.bounds(), source.bounds());
    assert_eq!(moved.flushed_offset(), source.end_offset());
    assert_eq!(moved.latest_epoch(), source.latest_epoch());
    let kept = |log: &Log| read_all(log, log.start_offset());
    let batches = kept(source);
    assert_eq!(kept(moved), batches);
    let end = source.end_offset();
    let appended = moved.append(batch(0, &["next"]), client()).unwrap();
    assert_eq!(appended.base_offset, end);
    moved.flush().unwrap();
    disk.crash(1);
    drop(there);
    let (log, _) = load(&other(disk)).pop().unwrap().outcome.unwrap();
    assert_eq!(log.bounds(), (source.start_offset(), end.next()));
    assert_eq!(kept(&log)[..batches.len()], batches);
}

/// A log of ten batches, the first with a key, and an empty segment behind them.
fn ending_with_an_empty_segment(here: &Manager) -> Arc<Log> {
    let source = create(here, "a", 1);
    append(&source, 0, &["kept"]);
    for at in 1..10 {
        let mut keyless = BatchBuilder::new(Codec::None);
        keyless.append(Timestamp(at), None, Some(b"no key"), &[]).unwrap();
        source.append(keyless.build().unwrap(), client()).unwrap();
    }
    assert!(source.roll_if_due(NOW).unwrap());
    source.flush().unwrap();
    source
}

/// All of it, though no more than is flushed.
fn whole_pass(log: &Log) -> Pass {
    log.set_config(Arc::new(LogConfig { compact: true, ..small() }));
    let policy = Policy {
        min_dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 0,
    };
    let cleanable = log.cleanable(&policy, None, log.end_offset(), NOW);
    Pass {
        from: cleanable.from,
        until: cleanable.until,
        delete_retention_ms: 0,
        now: NOW,
        map_bytes: 1 << 20,
        seed: 7,
    }
}

fn compact(log: &Log) -> Offset {
    log.compact(&whole_pass(log), &mut Unhurried).unwrap().to
}

/// Ends a pass after so many of its steps.
struct Stop(usize);

impl Pace for Stop {
    fn spend(&mut self, _bytes: u64) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

/// A log of several segments in which each value replaces the one before it.
fn of_one_key(manager: &Manager) -> Arc<Log> {
    let log = create(manager, "a", 1);
    for at in 0..60 {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(Timestamp(at), Some(b"key"), Some(b"some value"), &[]).unwrap();
        log.append(batch.build().unwrap(), client()).unwrap();
    }
    log.flush().unwrap();
    manager.checkpoint().unwrap();
    log
}

#[test]
fn what_an_interrupted_pass_left_out_is_not_missed_once_the_log_is_no_longer_compacted() {
    let mut with_gaps = 0;
    for steps in 1.. {
        let disk = SimDisk::new();
        let here = manager(&disk);
        let log = of_one_key(&here);
        let pass = whole_pass(&log);
        here.note_compacting(&name("a"), &log, pass.until).unwrap();
        let done = log.compact(&pass, &mut Stop(steps));
        let kept = read_all(&log, Offset(0));
        with_gaps += usize::from(done.is_err() && kept.len() < 60);
        log.set_config(Arc::new(small()));
        // It may be moved before the next start.
        let there = other(&disk);
        assert_eq!(read_all(&move_to(&there, &log, None), Offset(0)), kept, "{steps}");
        drop((here, there));
        disk.crash(1);
        for manager in [manager(&disk), other(&disk)] {
            let (log, _) = load(&manager).pop().unwrap().outcome.unwrap();
            assert_eq!(read_all(&log, Offset(0)), kept, "{steps}");
            assert_eq!(manager.cleaned_to(&name("a")), None);
        }
        if done.is_ok() {
            break;
        }
    }
    assert!(with_gaps > 1, "passes were interrupted between two swaps: {with_gaps}");
}

#[test]
fn how_far_gaps_may_be_is_noted_until_compaction_has_come_there() {
    let disk = SimDisk::new();
    let manager = manager(&disk);
    let log = create(&manager, "a", 1);
    let path = Path::new(ROOT).join("cleaner-offset-checkpoint");
    let noted = || checkpoint::read_offsets(&disk, &path).unwrap().whole().unwrap();
    let entry = |topic: &str, offset| ((topic.to_owned(), 0), Offset(offset));
    manager.note_compacting(&name("a"), &log, Offset(9)).unwrap();
    assert_eq!(noted(), [entry("//gaps/a", 9)].into());
    manager.note_cleaned(&name("a"), &log, Offset(5)).unwrap();
    assert_eq!(noted(), [entry("//gaps/a", 9), entry("a", 5)].into());
    manager.truncate_to(&name("a"), Offset(8), NOW).unwrap();
    assert_eq!(noted(), [entry("//gaps/a", 8), entry("a", 5)].into());
    manager.note_cleaned(&name("a"), &log, Offset(8)).unwrap();
    assert_eq!(noted(), [entry("a", 8)].into());
    manager.note_compacting(&name("a"), &log, Offset(8)).unwrap();
    assert_eq!(noted(), [entry("a", 8)].into());
}

#[test]
fn a_log_whose_last_records_were_compacted_goes_on_where_it_ended_after_a_move() {
    for start in [0, 4] {
        let disk = SimDisk::new();
        let (here, there) = (manager(&disk), other(&disk));
        let source = ending_with_an_empty_segment(&here);
        let cleaned_to = compact(&source);
        source.advance_start(Offset(start)).unwrap();
        assert_eq!(read_all(&source, Offset(start)).len(), usize::from(start == 0));
        let moved = move_to(&there, &source, Some(cleaned_to));
        assert_is_continued(&disk, &moved, &source, there);
    }
}

#[test]
fn a_crash_while_such_a_log_is_moved_gives_no_offset_away_again() {
    let before = SimDisk::new();
    {
        let here = manager(&before);
        let source = ending_with_an_empty_segment(&here);
        here.checkpoint().unwrap();
        let cleaned_to = compact(&source);
        here.note_cleaned(&name("a"), &source, cleaned_to).unwrap();
    }
    let config = || Arc::new(LogConfig { compact: true, ..small() });
    let open =
        |disk: &SimDisk, root| Manager::open(Arc::new(disk.clone()), Path::new(root), identity());
    let run = |disk: &SimDisk| -> Result<(), Box<dyn std::error::Error>> {
        let (here, there) = (open(disk, ROOT)?, open(disk, "/other")?);
        let source = here.create("a", id(1), 0, &config(), NOW)?;
        let cleaned_to = here.cleaned_to(&name("a"));
        let copy = there.begin_copy(&name("a"), id(1), &source, cleaned_to, NOW)?;
        while copy.copy_some(&source, NOW)? > 0 {}
        there.last_step().take_over(&copy, &source, NOW)?;
        here.delete(&name("a"))?.remove(disk)?;
        Ok(())
    };
    let whole = before.fork();
    run(&whole).unwrap();
    for stop_after in 0..=whole.changes() {
        let broken = before.fork();
        broken.fail_after(stop_after);
        let _ = run(&broken);
        for seed in 0..3 {
            let disk = broken.fork();
            disk.crash(stop_after * 10 + seed);
            let mut ends = Vec::new();
            for root in [ROOT, "/other"] {
                let choose = |_: &PartitionName, _| Choice::Open(config());
                for loaded in open(&disk, root).unwrap().load(1, NOW, &choose).unwrap() {
                    let (log, _) = loaded.outcome.unwrap();
                    assert_eq!(read_all(&log, log.start_offset()).len(), 1);
                    ends.push(log.end_offset());
                }
            }
            assert_eq!(ends.into_iter().max(), Some(Offset(10)), "{stop_after} {seed}");
        }
    }
}

#[test]
fn a_log_that_retention_emptied_while_it_was_copied_goes_on_where_it_ended() {
    let disk = SimDisk::new();
    let (here, there) = (manager(&disk), other(&disk));
    let source = ending_with_an_empty_segment(&here);
    let copy = there.begin_copy(&name("a"), id(1), &source, None, NOW).unwrap();
    while copy.copy_some(&source, NOW).unwrap() > 0 {}
    append(&source, 0, &["late"]);
    source.flush().unwrap();
    source.advance_start(source.end_offset()).unwrap();
    while copy.copy_some(&source, NOW).unwrap() > 0 {}
    let moved = there.last_step().take_over(&copy, &source, NOW).unwrap();
    assert_is_continued(&disk, &moved, &source, there);
}

#[test]
fn what_was_asked_about_before_a_move_is_appended_after_it_and_no_guard_comes_twice() {
    let disk = SimDisk::new();
    let (here, there) = (manager(&disk), other(&disk));
    let config = LogConfig { verify_transactions: true, ..small() };
    let source = here.create("a", id(1), 0, &Arc::new(config), NOW).unwrap();
    let ask = |log: &Log, producer| {
        log.begin_verification(ProducerId(producer), ProducerEpoch(0), 0, false, NOW).unwrap()
    };
    let write = |log: &Log, producer, guard| {
        let builder = BatchBuilder::new(Codec::None).transactional(true);
        let mut builder = builder.producer(ProducerId(producer), ProducerEpoch(0), 0);
        builder.append(NOW, Some(b"key"), Some(b"value"), &[]).unwrap();
        let verified = Append { origin: Origin::Verified(guard), ..client() };
        log.append(builder.build().unwrap(), verified)
    };
    let (first, second) = (ask(&source, 1), ask(&source, 2));
    let moved = move_to(&there, &source, None);
    let third = ask(&moved, 3);
    assert!(third != first && third != second);
    assert!(write(&moved, 3, second).is_err(), "asked about another");
    write(&moved, 1, first).unwrap();
    write(&moved, 2, second).unwrap();
    write(&moved, 3, third).unwrap();
    assert_eq!(moved.end_offset(), Offset(3));
}

#[test]
fn a_copy_that_lacks_records_takes_over_nothing() {
    let disk = SimDisk::new();
    let (here, there) = (manager(&disk), other(&disk));
    let source = ending_with_an_empty_segment(&here);
    let copy = there.begin_copy(&name("a"), id(1), &source, None, NOW).unwrap();
    while copy.copy_some(&source, NOW).unwrap() > 0 {}
    append(&source, 0, &["late"]);
    let refused = there.last_step().take_over(&copy, &source, NOW).unwrap_err();
    assert!(matches!(refused, ManagerError::Copy { .. }), "{refused}");
    assert!(there.get(&name("a")).is_none());
    append(&source, 0, &["later"]);
}

#[derive(Debug)]
struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _bytes: u64) -> bool {
        true
    }
}

#[test]
fn a_copy_that_was_not_finished_goes_with_the_next_start_and_is_told_of() {
    let disk = SimDisk::new();
    let here = manager(&disk);
    let source = create(&here, "a", 1);
    append(&source, 1, &["value"]);
    let there = Manager::open(Arc::new(disk.clone()), Path::new("/other"), identity()).unwrap();
    let copy = there.begin_copy(&name("a"), id(1), &source, None, NOW).unwrap();
    while copy.copy_some(&source, NOW).unwrap() > 0 {}
    assert_eq!((copy.end_offset(), copy.size_bytes()), (Offset(1), source.size_bytes()));
    assert!(here.begin_copy(&name("a"), id(1), &source, None, NOW).is_err(), "it is there");
    drop((copy, there));
    let there = Manager::open(Arc::new(disk.clone()), Path::new("/other"), identity()).unwrap();
    assert_eq!(there.interrupted_moves(), [name("a")]);
    let dirs = disk.read_dir(Path::new("/other")).unwrap();
    assert!(dirs.iter().all(|entry| !entry.is_dir), "{dirs:?}");
}

#[test]
fn where_a_log_begins_is_known_though_the_file_that_says_so_is_damaged_or_lost() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    for (topic, number) in [("a", 1), ("b", 2)] {
        let log = create(&first, topic, number);
        append(&log, 0, &["value", "another", "third"]);
        log.flush().unwrap();
    }
    first.get(&name("a")).unwrap().advance_start(Offset(2)).unwrap();
    first.checkpoint().unwrap();
    drop(first);
    let path = Path::new(ROOT).join(LOG_STARTS);
    let begins = |disk: &SimDisk| {
        let manager = manager(disk);
        let starts = |it: Loaded| it.outcome.unwrap().0.start_offset().0;
        let begins: Vec<i64> = load(&manager).into_iter().map(starts).collect();
        // What is written next is whole again.
        manager.checkpoint().unwrap();
        begins
    };
    let of_file =
        |disk: &SimDisk, name| checkpoint::read_offsets(disk, &Path::new(ROOT).join(name));
    for lost in [false, true] {
        let disk = disk.fork();
        if lost {
            disk.remove_file(&path).unwrap();
        } else {
            checkpoint::replace(&disk, &path, b"0\n1\n?").unwrap();
        }
        assert_eq!(begins(&disk), [2, 0], "{lost}");
        let key = |topic: &str| (topic.to_owned(), 0);
        let starts = of_file(&disk, LOG_STARTS).unwrap();
        assert_eq!(starts, Found::Whole([(key("a"), Offset(2)), (key("b"), Offset(0))].into()));
    }
}

#[test]
fn a_copy_of_where_logs_begin_that_somebody_left_behind_is_put_right() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    let log = create(&first, "a", 1);
    append(&log, 0, &["value", "another", "third"]);
    log.advance_start(Offset(2)).unwrap();
    first.close().unwrap();
    drop((log, first));
    // As if a crash came between the two files, of which the first is as new as can be.
    let key = ("a".to_owned(), 0);
    let (path, starts) = (Path::new(ROOT).join(LOG_STARTS), [(key, Offset(1))].into());
    checkpoint::write_offsets(&disk, &path, &starts).unwrap();
    drop(manager(&disk));
    disk.remove_file(&path).unwrap();
    let second = manager(&disk);
    assert_eq!(load(&second).pop().unwrap().outcome.unwrap().0.start_offset(), Offset(1));
}

#[test]
fn a_start_that_cannot_sync_what_the_last_run_left_opens_nothing() {
    let disk = SimDisk::new();
    let first = manager(&disk);
    for (topic, number) in [("a", 1), ("b", 2)] {
        append(&create(&first, topic, number), 0, &["value"]);
    }
    drop(first);
    let second = manager(&disk);
    disk.inject(Fault::once(Call::Sync, "a-0/00000000000000000000.log"));
    let config = Arc::new(small());
    let loaded = second.load(3, NOW, &|_, _| Choice::Open(Arc::clone(&config)));
    assert!(loaded.is_err());
    assert_eq!(second.names(), []);
}
