//! Several log directories: they fail one by one, and partitions move between them.

use super::*;

/// Replicas on one disk for each directory, and a topic with as many partitions.
fn world_on(disks: &[SimDisk], partitions: i32) -> Arc<Replicas> {
    let clock = Arc::new(ManualClock::at(NOW));
    let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
    let dirs = disks.iter().zip(1..).map(|(disk, number)| {
        let identity = Identity {
            cluster_id: None,
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: Uuid([number; 16]),
        };
        let root = format!("{ROOT}{number}");
        Arc::new(Manager::open(Arc::new(disk.clone()), Path::new(&root), identity).unwrap())
    });
    let config = BrokerConfig::from_settings(Settings::new()).unwrap();
    let replicas = Arc::new(Replicas::new(Parts {
        node_id: 1,
        config: Arc::new(ArcSwap::from_pointee(config)),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        timers: Arc::new(Timers::start(Arc::clone(&clock) as Arc<dyn Clock>, &spawn)),
        rng: Arc::new(SeededRng::new(7)),
        metrics: Arc::default(),
        dirs: dirs.collect(),
    }));
    let image = Arc::new(image_of(partitions));
    replicas.load(&image).unwrap();
    replicas.changed(&Image::default(), &image);
    replicas
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
        let moved = other.dir.take_over(copy, &partition.log(), NOW).unwrap();
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
