//! Several log directories: they fail one by one, and partitions move between them.

use std::{cell::RefCell, path::PathBuf};

use milena_protocol::{ProducerEpoch, ProducerId, state::metadata::RegisterBrokerRecord};
use milena_storage::{log::ReadLimits, manager::FutureLog, producers::EndMarker};

use super::*;
use crate::replica::{MoveError, mover::Move, partition::Volume};

/// Replicas on one disk for each directory, and a topic with as many partitions.
fn world_on(disks: &[SimDisk], partitions: i32) -> Arc<Replicas> {
    world_with(taken(disks, 1), Vec::new(), &Arc::new(image_of(partitions))).0
}

/// Directories on these disks; those that are new get ids from this number on.
fn taken(disks: &[SimDisk], first_id: u8) -> Vec<Arc<Manager>> {
    let dirs = disks.iter().zip(1..).zip(first_id..).map(|((disk, number), id)| {
        let identity = Identity {
            cluster_id: None,
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: Uuid([id; 16]),
        };
        let root = format!("{ROOT}{number}");
        Arc::new(Manager::open(Arc::new(disk.clone()), Path::new(&root), identity).unwrap())
    });
    dirs.collect()
}

/// Replicas of what `image` tells, and which directories the broker has then.
fn world_with(
    dirs: Vec<Arc<Manager>>,
    failed_dirs: Vec<PathBuf>,
    image: &Arc<Image>,
) -> (Arc<Replicas>, Vec<Uuid>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
    let settings = Settings::from([(
        "transaction.partition.verification.enable".to_owned(),
        "false".to_owned(),
    )]);
    let config = BrokerConfig::from_settings(settings).unwrap();
    let replicas = Arc::new(Replicas::new(Parts {
        node_id: 1,
        config: Arc::new(ArcSwap::from_pointee(config)),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        timers: Arc::new(Timers::start(Arc::clone(&clock) as Arc<dyn Clock>, &spawn)),
        rng: Arc::new(SeededRng::new(7)),
        metrics: Arc::default(),
        dirs,
        failed_dirs,
    }));
    let directories = replicas.load(image).unwrap();
    replicas.changed(&Image::default(), image);
    (replicas, directories)
}

/// The broker is known, with two directories.
fn registered(mut image: Image) -> Arc<Image> {
    let record = RegisterBrokerRecord {
        broker_id: 1,
        log_dirs: vec![Uuid([1; 16]), Uuid([2; 16])],
        ..RegisterBrokerRecord::default()
    };
    let end = image.end();
    image.apply(&record.into(), end).unwrap();
    Arc::new(image)
}

fn image_of(partitions: i32) -> Image {
    let name = Str::from_static("t");
    let mut image = Image::default();
    image.apply(&TopicRecord { name, topic_id: ID }.into(), 0).unwrap();
    for partition_id in 0..partitions {
        let record = PartitionRecord {
            partition_id,
            topic_id: ID,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            ..PartitionRecord::default()
        };
        image.apply(&record.into(), i64::from(partition_id) + 1).unwrap();
    }
    image
}

fn partition(replicas: &Replicas, index: i32) -> Arc<Partition> {
    replicas.topic_named("t").unwrap().partition(index).unwrap()
}

/// Which directory each partition is in, by the directory's number.
fn homes(replicas: &Replicas) -> Vec<Vec<i32>> {
    let dirs = replicas.log_dirs();
    dirs.iter().map(|dir| dir.logs.iter().map(|log| log.partition).collect()).collect()
}

fn counts(replicas: &Replicas) -> Vec<usize> {
    homes(replicas).iter().map(Vec::len).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_fail_one_by_one_and_the_others_go_on() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 3);
    replicas.start(&TokioSpawn::new(tokio::runtime::Handle::current())).unwrap();
    assert!(homes(&replicas).iter().all(|logs| logs.len() == 1), "{:?}", homes(&replicas));
    for (failed, disk) in disks.iter().enumerate() {
        disk.inject(Fault::once(Call::Sync, ".log"));
        let mut served = 0;
        for (at, dir) in homes(&replicas).into_iter().enumerate() {
            let partition = partition(&replicas, dir[0]);
            let Ok(appended) = partition.append(batch(), NOW) else { continue };
            let outcome =
                partition.committed(appended.last_offset.next(), Duration::from_secs(600)).await;
            assert_eq!(outcome.is_ok(), at > failed, "directory {at} after {failed} failed");
            served += usize::from(outcome.is_ok());
        }
        assert_eq!(served, 2 - failed);
    }
    replicas.close().await;
}

#[tokio::test]
async fn a_partition_is_made_where_there_is_room_and_else_as_soon_as_there_is() {
    let disks = [SimDisk::new(), SimDisk::new()];
    drop(world_on(&disks, 0));
    disks[0].set_capacity(0);
    let replicas = world_on(&disks, 2);
    assert_eq!(counts(&replicas), [0, 2]);
    drop(replicas);
    let disks = [SimDisk::new()];
    drop(world_on(&disks, 0));
    disks[0].set_capacity(0);
    let replicas = world_on(&disks, 1);
    let topic = replicas.topic_named("t").unwrap();
    assert_eq!(topic.partition(0).err(), Some(Missing::Offline));
    replicas.retry_offline();
    assert_eq!(topic.partition(0).err(), Some(Missing::Offline));
    disks[0].lift_capacity();
    replicas.retry_offline();
    assert!(topic.partition(0).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_interrupted_begins_anew_and_one_that_was_nearly_done_is_settled() {
    let disks = [SimDisk::new(), SimDisk::new()];
    {
        let replicas = world_on(&disks, 1);
        let partition = partition(&replicas, 0);
        partition.append(batch(), NOW).unwrap();
        partition.flushed(partition.log().flush());
        // Both directories have it, as before the last step of a move.
        let other = replicas.volumes.iter().find(|it| it.dir.names().is_empty()).unwrap();
        let copy = other.dir.begin_copy(partition.name(), ID, &partition.log(), None, NOW).unwrap();
        while copy.copy_some(&partition.log(), NOW).unwrap() > 0 {}
        let moved = other.dir.last_step().take_over(&copy, &partition.log(), NOW).unwrap();
        let append = milena_storage::log::Append {
            origin: milena_storage::log::Origin::Client,
            leader_epoch: partition.leader_epoch(),
            now: NOW,
        };
        moved.append(batch(), append).unwrap();
        moved.flush().unwrap();
    }
    disks.iter().for_each(|disk| disk.crash(1));
    let end = {
        let replicas = world_on(&disks, 1);
        assert_eq!(counts(&replicas).iter().sum::<usize>(), 1);
        let partition = partition(&replicas, 0);
        let home = partition.place();
        let other = replicas.volumes.iter().find(|it| !Arc::ptr_eq(it, &home.volume)).unwrap();
        let copy = other.dir.begin_copy(partition.name(), ID, &partition.log(), None, NOW).unwrap();
        copy.copy_some(&partition.log(), NOW).unwrap();
        partition.log().end_offset()
    };
    assert_eq!(end, Offset(2), "the longer one stayed");
    // The process is killed, no more.
    let replicas = world_on(&disks, 1);
    let before = Arc::clone(&partition(&replicas, 0).place().volume);
    replicas.start(&TokioSpawn::new(tokio::runtime::Handle::current())).unwrap();
    until("the move", || !Arc::ptr_eq(&before, &partition(&replicas, 0).place().volume)).await;
    assert_eq!(partition(&replicas, 0).log().end_offset(), end);
    replicas.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_directory_that_is_not_there_is_offline_and_not_begun_anew() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let before = {
        let replicas = world_on(&disks, 4);
        replicas.start(&TokioSpawn::new(tokio::runtime::Handle::current())).unwrap();
        for index in 0..4 {
            partition(&replicas, index).append(batch(), NOW).unwrap();
        }
        let homes = homes(&replicas);
        replicas.close().await;
        homes
    };
    assert_eq!((before[0].len(), before[1].len()), (2, 2));
    // It could not be taken, or another disk is where it was.
    let new = SimDisk::new();
    let failed = vec![PathBuf::from("/data2")];
    for (there, failed) in [(vec![disks[0].clone()], failed), (vec![disks[0].clone(), new], vec![])]
    {
        let known = registered(image_of(4));
        let (replicas, dirs) = world_with(taken(&there, 11), failed.clone(), &known);
        assert!(dirs.contains(&Uuid([2; 16])), "the next start has to know of it, too: {dirs:?}");
        let topic = replicas.topic_named("t").unwrap();
        for index in 0..4 {
            let found = topic.partition(index).map(|partition| partition.log().end_offset());
            let expected =
                if before[0].contains(&index) { Ok(Offset(1)) } else { Err(Missing::Offline) };
            assert_eq!(found, expected, "{index}");
        }
        replicas.retry_offline();
        assert_eq!(topic.partition(before[1][0]).err(), Some(Missing::Offline));
        if let [path] = &failed[..] {
            let told = replicas.log_dirs();
            assert!(told[0].space.is_ok() && told[1].path == *path && told[1].space.is_err());
            let moved = replicas.move_partition("t", before[0][0], "/data2");
            assert_eq!(moved, Err(MoveError::FailedDirectory));
        }
        // New partitions have room elsewhere.
        replicas.changed(&known, &registered(image_of(5)));
        assert!(topic.partition(4).is_ok());
        assert_eq!(topic.partition(before[1][0]).err(), Some(Missing::Offline));
        // They hold the lock.
        drop((topic, replicas));
        let made = Path::new("/data1/t-4");
        assert_eq!(disks[0].exists(made), !failed.is_empty(), "a new disk has more room");
        if disks[0].exists(made) {
            disks[0].remove_dir_all(made).unwrap();
        }
    }
    let replicas = world_on(&disks, 4);
    assert_eq!(homes(&replicas), before);
    let ends = (0..4).map(|index| partition(&replicas, index).log().end_offset());
    assert_eq!(ends.collect::<Vec<_>>(), [Offset(1); 4]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_listed_at_the_start_fails_alone() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let before = homes(&world_on(&disks, 2));
    let known = registered(image_of(2));
    let dirs = taken(&disks, 1);
    disks[1].inject(Fault::once(Call::ReadDir, "data2"));
    let (replicas, _) = world_with(dirs, Vec::new(), &known);
    let topic = replicas.topic_named("t").unwrap();
    assert!(topic.partition(before[0][0]).is_ok());
    assert_eq!(topic.partition(before[1][0]).err(), Some(Missing::Offline));
    assert!(replicas.log_dirs()[1].space.is_err());
    let moved = replicas.move_partition("t", before[0][0], "/data2");
    assert_eq!(moved, Err(MoveError::FailedDirectory));
}

#[tokio::test]
async fn a_directory_that_was_given_up_is_forgotten_once_nothing_is_missing() {
    let disks = [SimDisk::new(), SimDisk::new()];
    drop(world_on(&disks, 1));
    let (_, dirs) = world_with(taken(&disks[..1], 1), Vec::new(), &registered(image_of(1)));
    assert_eq!(dirs, [Uuid([1; 16])]);
}

/// Where moves that nobody has begun yet go, by the directory's number.
fn moves(replicas: &Replicas) -> Vec<usize> {
    let is = |target| move |it: &Arc<Volume>| Arc::ptr_eq(it, target);
    let moves = replicas.mover.moves();
    moves.iter().map(|it| replicas.volumes.iter().position(is(&it.target)).unwrap()).collect()
}

fn ask(replicas: &Replicas, target: usize) {
    let path = replicas.volumes[target].dir.root().display().to_string();
    assert_eq!(replicas.move_partition("t", 0, &path), Ok(()));
}

#[tokio::test]
async fn the_last_wish_about_where_a_partition_is_to_be_counts() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    assert_eq!(homes(&replicas), [vec![0], vec![], vec![]]);
    // Back to where nobody wants the partition to be moved.
    let reset = |replicas: &Replicas| {
        ask(replicas, 0);
        replicas.mover.done();
    };
    let sequences: [&[(usize, &[usize])]; 4] = [
        &[(1, &[1]), (0, &[]), (1, &[1]), (1, &[1])],
        &[(1, &[1]), (2, &[2]), (1, &[1])],
        &[(1, &[1]), (2, &[2]), (0, &[])],
        &[(1, &[1]), (2, &[2]), (0, &[]), (2, &[2]), (1, &[1]), (0, &[])],
    ];
    for sequence in sequences {
        for (at, (wish, expected)) in sequence.iter().enumerate() {
            ask(&replicas, *wish);
            assert_eq!(moves(&replicas), *expected, "{at} of {sequence:?}");
        }
        reset(&replicas);
    }
}

#[tokio::test]
async fn a_wish_that_comes_too_late_to_cancel_a_move_has_the_partition_moved_again() {
    let disks = [SimDisk::new(), SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    ask(&replicas, 1);
    let first = Arc::clone(&replicas.mover.moves()[0]);
    assert!(replicas.mover.settle(&first));
    let told: Vec<_> = [0, 2, 1, 0]
        .map(|wish| {
            ask(&replicas, wish);
            moves(&replicas)
        })
        .into();
    assert_eq!(told, [vec![0], vec![2], vec![], vec![0]]);
}

/// A move to `target` that is to have its last step.
fn nearly_moved(replicas: &Replicas, target: usize) -> (Arc<Move>, FutureLog) {
    ask(replicas, target);
    let one = Arc::clone(&replicas.mover.moves()[0]);
    let (name, source) = (one.partition.name(), one.partition.log());
    let copy = one.target.dir.begin_copy(name, ID, &source, None, NOW).unwrap();
    while copy.copy_some(&source, NOW).unwrap() > 0 {}
    (one, copy)
}

#[tokio::test]
async fn who_writes_does_not_wait_for_the_checkpoints_of_the_directory_that_a_log_moves_to() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    let partition = partition(&replicas, 0);
    let (one, copy) = nearly_moved(&replicas, 1);
    let place = partition.place();
    std::thread::scope(|scope| {
        let writing_checkpoints = one.target.dir.last_step();
        let (begins, begun) = std::sync::mpsc::channel();
        let moving = scope.spawn({
            let (replicas, one, place) = (&replicas, &one, &place);
            move || {
                begins.send(()).unwrap();
                replicas.finish(one, place, copy).unwrap()
            }
        });
        begun.recv().unwrap();
        for _ in 0..APPENDS {
            partition.append(batch(), NOW).unwrap();
        }
        assert!(!moving.is_finished());
        drop(writing_checkpoints);
        assert!(moving.join().unwrap());
    });
    assert_eq!(homes(&replicas), [vec![], vec![0]]);
    assert_eq!(partition.log().end_offset(), Offset(APPENDS));
}

#[tokio::test]
async fn a_log_that_is_exchanged_while_somebody_looks_at_it_is_not_offline() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    let partition = partition(&replicas, 0);
    partition.append(batch(), NOW).unwrap();
    let (one, copy) = nearly_moved(&replicas, 1);
    let place = partition.place();
    let copy = RefCell::new(Some(copy));
    let offline = partition.ask(|log| {
        if let Some(copy) = copy.take() {
            assert!(replicas.finish(&one, &place, copy).unwrap());
            assert!(log.offline().is_some());
        }
        log.offline()
    });
    assert_eq!(offline, None);
    // One that is offline for good is.
    disks[1].inject(Fault::once(Call::Sync, ".log"));
    partition.append(batch(), NOW).unwrap();
    assert!(partition.log().flush().is_err());
    assert!(partition.ask(|log| log.offline()).is_some());
}

/// Directories of logs, whole or not.
fn directories(disk: &SimDisk, root: &str) -> Vec<String> {
    let entries = disk.read_dir(Path::new(root)).unwrap();
    entries.into_iter().filter(|it| it.is_dir).map(|it| it.name).collect()
}

#[tokio::test]
async fn nothing_is_left_of_a_copy_whose_topic_goes_before_the_last_step() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    let partition = partition(&replicas, 0);
    partition.append(batch(), NOW).unwrap();
    let (one, copy) = nearly_moved(&replicas, 1);
    assert_eq!(directories(&disks[1], "/data2").len(), 1);
    let place = partition.place();
    replicas.changed(&image_of(1), &Arc::new(Image::default()));
    assert!(!replicas.finish(&one, &place, copy).unwrap());
    assert_eq!(directories(&disks[1], "/data2"), [""; 0]);
}

#[tokio::test]
async fn a_log_that_could_not_be_deleted_after_its_move_is_not_in_the_way_of_one_back() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    let partition = partition(&replicas, 0);
    partition.append(batch(), NOW).unwrap();
    disks[0].inject(Fault::once(Call::Rename, "t-0"));
    for (target, expected) in [(1, [vec![], vec![0]]), (0, [vec![0], vec![]])] {
        let (one, copy) = nearly_moved(&replicas, target);
        let place = partition.place();
        assert!(replicas.finish(&one, &place, copy).unwrap(), "to {target}");
        replicas.mover.done();
        assert_eq!(homes(&replicas), expected);
        assert_eq!(directories(&disks[0], "/data1"), ["t-0"]);
        partition.append(batch(), NOW).unwrap();
    }
    assert_eq!(partition.log().end_offset(), Offset(3));
}

/// Enough for another thread to come to a lock.
const APPENDS: i64 = 500;

/// Transactions in all states before, while and after a partition moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_takes_open_committed_and_aborted_transactions_along() {
    let disks = [SimDisk::new(), SimDisk::new()];
    let replicas = world_on(&disks, 1);
    replicas.start(&TokioSpawn::new(tokio::runtime::Handle::current())).unwrap();
    let partition = partition(&replicas, 0);
    for producer in 1..=3 {
        write_in_transaction(&partition, producer, 0);
    }
    end_transaction(&partition, 1, true);
    end_transaction(&partition, 2, false);
    write_in_transaction(&partition, 2, 1);
    let aborted = vec![(ProducerId(2), Offset(1), Offset(4))];
    assert_eq!(partition.last_stable_offset(), Offset(2));
    for round in 0..4 {
        let before = partition.log().producers();
        let home = Arc::clone(&partition.place().volume);
        let target = replicas.volumes.iter().find(|it| !Arc::ptr_eq(it, &home)).unwrap();
        let path = target.dir.root().display().to_string();
        assert_eq!(replicas.move_partition("t", 0, &path), Ok(()));
        until("the move", || Arc::ptr_eq(target, &partition.place().volume)).await;
        assert_eq!(partition.log().producers(), before, "round {round}");
        assert_eq!(partition.last_stable_offset(), Offset(2), "round {round}");
        assert_eq!(aborted_in(&partition), aborted, "round {round}");
        // What producers do next follows from what they did before.
        write_in_transaction(&partition, 3, 1 + round);
        let stale = in_transaction(3, 7);
        let refused = partition.append(stale, NOW).unwrap_err();
        assert!(matches!(refused, AppendError::OutOfOrderSequence { .. }), "{refused:?}");
    }
    end_transaction(&partition, 2, true);
    end_transaction(&partition, 3, false);
    assert_eq!(partition.last_stable_offset(), partition.log().end_offset());
    assert_eq!(aborted_in(&partition).len(), 2);
    replicas.close().await;
}

fn in_transaction(producer: i64, sequence: i32) -> Bytes {
    let builder = BatchBuilder::new(Codec::None);
    let builder = builder.producer(ProducerId(producer), ProducerEpoch(0), sequence);
    let mut builder = builder.transactional(true);
    builder.append(NOW, None, Some(b"value"), &[]).unwrap();
    builder.build().unwrap()
}

fn write_in_transaction(partition: &Arc<Partition>, producer: i64, sequence: i32) {
    partition.append(in_transaction(producer, sequence), NOW).unwrap();
    partition.flushed(partition.log().flush());
}

fn end_transaction(partition: &Arc<Partition>, producer: i64, commit: bool) {
    let marker = EndMarker {
        producer: ProducerId(producer),
        epoch: ProducerEpoch(0),
        coordinator_epoch: 0,
        timestamp: NOW,
        commit,
    };
    partition.append_marker(&marker, 1, NOW).unwrap();
    partition.flushed(partition.log().flush());
}

/// What a reader of committed records is told to leave out, in all of the partition.
fn aborted_in(partition: &Partition) -> Vec<(ProducerId, Offset, Offset)> {
    let upper = partition.log().end_offset();
    let limits = ReadLimits { max_bytes: usize::MAX, upper, at_least_one: true };
    let found = partition.log().read_committed(Offset(0), limits).unwrap();
    found.aborted.iter().map(|it| (it.producer, it.first, it.last)).collect()
}
