//! Partitions over a disk that fails on demand, in a time that stands still until told otherwise.

mod sessions;
mod volumes;

use std::{future::ready, path::Path, pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use milena_protocol::{
    Offset, Timestamp, Uuid,
    compression::Codec,
    records::BatchBuilder,
    state::metadata::{ConfigRecord, MetadataRecord, PartitionRecord, TopicRecord},
    wire::Str,
};
use milena_storage::{
    flush::Flushed,
    fs::{
        Disk,
        sim::{Call, Fault, SimDisk},
    },
    log::AppendError,
    manager::{Identity, Manager},
};

use super::{Isolation, Missing, Partition, Parts, Replicas, Uncommitted};
use crate::{
    clock::{Clock, ManualClock, SeededRng},
    config::{BrokerConfig, Settings},
    metadata::{Follow, Image},
    purgatory::Timers,
    tasks::TokioSpawn,
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const ID: Uuid = Uuid([7; 16]);
const ROOT: &str = "/data";
const EMFILE: i32 = 24;

struct World {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    replicas: Arc<Replicas>,
}

impl World {
    /// Replicas that know no topic yet and whose threads do not run.
    fn on(disk: &SimDisk) -> Self {
        Self::over(disk, Arc::new(disk.clone()))
    }

    /// The same, with `files` as the way to the disk.
    fn over(disk: &SimDisk, files: Arc<dyn Disk>) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
        let identity = Identity {
            cluster_id: None,
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: Uuid([9; 16]),
        };
        let dir = Manager::open(files, Path::new(ROOT), identity).unwrap();
        let config = BrokerConfig::from_settings(Settings::new()).unwrap();
        let replicas = Replicas::new(Parts {
            node_id: 1,
            config: Arc::new(ArcSwap::from_pointee(config)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            timers: Arc::new(Timers::start(Arc::clone(&clock) as Arc<dyn Clock>, &spawn)),
            rng: Arc::new(SeededRng::new(7)),
            metrics: Arc::default(),
            dirs: vec![Arc::new(dir)],
            failed_dirs: Vec::new(),
        });
        Self { disk: disk.clone(), clock, replicas: Arc::new(replicas) }
    }

    /// A world with the partition `t-0`, and that partition.
    fn with_topic(settings: &[(&'static str, &'static str)]) -> (Self, Arc<Partition>) {
        let world = Self::on(&SimDisk::new());
        world.replicas.changed(&Image::default(), &Arc::new(image(settings)));
        let partition = world.partition();
        (world, partition)
    }

    fn partition(&self) -> Arc<Partition> {
        self.replicas.topic_named("t").unwrap().partition(0).unwrap()
    }

    fn start(&self) {
        let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
        self.replicas.start(&spawn).unwrap();
    }
}

/// Metadata of one topic `t` with one partition.
fn image(settings: &[(&'static str, &'static str)]) -> Image {
    image_of("t", settings)
}

/// Metadata of one topic with one partition.
fn image_of(name: &'static str, settings: &[(&'static str, &'static str)]) -> Image {
    let name = Str::from_static(name);
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: ID,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        ..PartitionRecord::default()
    };
    let mut records: Vec<MetadataRecord> =
        vec![TopicRecord { name: name.clone(), topic_id: ID }.into(), partition.into()];
    records.extend(settings.iter().map(|&(key, value)| {
        MetadataRecord::from(ConfigRecord {
            resource_type: 2,
            resource_name: name.clone(),
            name: Str::from_static(key),
            value: Some(Str::from_static(value)),
        })
    }));
    let mut image = Image::default();
    for (offset, record) in (0..).zip(&records) {
        image.apply(record, offset).unwrap();
    }
    image
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NOW, None, Some(b"value"), &[]).unwrap();
    builder.build().unwrap()
}

/// What a future comes to without waiting for anything.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        outcome = future => Some(outcome),
        () = ready(()) => None,
    }
}

/// Lets threads and tasks work until something is so.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("waited in vain for: {what}");
}

#[tokio::test]
async fn nothing_is_shown_or_acknowledged_before_it_is_synced() {
    let (world, partition) = World::with_topic(&[]);
    partition.append(batch(), NOW).unwrap();
    let mut committed = pin!(partition.committed(Offset(1), Duration::from_secs(9)));
    tokio::select! {
        biased;
        outcome = &mut committed => panic!("answered too early: {outcome:?}"),
        () = ready(()) => {}
    }
    assert_eq!(partition.visible_end(Isolation::ReadUncommitted), Offset(0));
    partition.flushed(partition.log().flush());
    assert_eq!(committed.await, Ok(()));
    assert_eq!(partition.high_watermark(), Offset(1));
    assert!(world.disk.is_synced(Path::new("/data/t-0/00000000000000000000.log")).unwrap());
}

#[tokio::test]
async fn a_failed_sync_is_told_to_who_waits_and_to_all_who_come() {
    let (world, partition) = World::with_topic(&[]);
    partition.append(batch(), NOW).unwrap();
    world.disk.inject(Fault::once(Call::Sync, "t-0"));
    let committed = partition.committed(Offset(1), Duration::from_secs(9));
    partition.flushed(partition.log().flush());
    assert_eq!(committed.await, Err(Uncommitted::Offline));
    let again = partition.append(batch(), NOW);
    assert!(matches!(again, Err(AppendError::Offline(_))), "{again:?}");
    partition.flushed(partition.log().flush());
    assert_eq!(partition.high_watermark(), Offset(0), "it is not tried again");
}

#[tokio::test]
async fn a_sync_that_lacked_a_descriptor_is_made_up_for_later() {
    let (world, partition) =
        World::with_topic(&[("flush.policy", "os"), ("segment.bytes", "1024")]);
    for _ in 0..30 {
        partition.append(batch(), NOW).unwrap();
    }
    let log = partition.log();
    assert!(log.segment_count() > 1);
    world.disk.inject(Fault::once(Call::SyncDir, "t-0").with_errno(EMFILE));
    partition.flushed(log.try_flush());
    assert_eq!((log.flushed_offset(), log.offline()), (Offset(0), None));
    world.start();
    world.clock.advance(Duration::from_millis(100));
    until("another sync", || log.flushed_offset() == Offset(30)).await;
    world.replicas.close().await;
}

#[tokio::test]
async fn what_is_not_committed_in_time_is_told_so() {
    let (world, partition) = World::with_topic(&[]);
    partition.append(batch(), NOW).unwrap();
    let mut committed = pin!(partition.committed(Offset(1), Duration::from_secs(9)));
    tokio::select! {
        biased;
        outcome = &mut committed => panic!("answered too early: {outcome:?}"),
        () = ready(()) => {}
    }
    world.clock.advance(Duration::from_secs(9));
    assert_eq!(committed.await, Err(Uncommitted::TimedOut));
}

#[tokio::test]
async fn a_sync_serves_who_waits_without_being_asked_twice() {
    let (world, partition) = World::with_topic(&[]);
    world.start();
    for end in 1..=20 {
        partition.append(batch(), NOW).unwrap();
        assert_eq!(partition.committed(Offset(end), Duration::from_secs(9)).await, Ok(()));
    }
    world.replicas.close().await;
}

#[tokio::test]
async fn what_is_left_to_the_system_is_shown_at_once() {
    let (_world, partition) = World::with_topic(&[("flush.policy", "os")]);
    partition.append(batch(), NOW).unwrap();
    assert_eq!(partition.high_watermark(), Offset(1));
    assert_eq!(partition.log().flushed_offset(), Offset(0));
}

#[tokio::test]
async fn who_waits_for_a_sync_is_told_of_it_where_records_are_shown_before() {
    let (world, partition) = World::with_topic(&[("flush.policy", "os")]);
    partition.append(batch(), NOW).unwrap();
    let mut synced = pin!(partition.synced(Offset(1), Duration::from_secs(9)));
    assert_eq!(at_once(synced.as_mut()).await, None);
    partition.flushed(partition.log().flush());
    assert_eq!(at_once(synced).await, Some(Ok(())));

    partition.append(batch(), NOW).unwrap();
    let mut synced = pin!(partition.synced(Offset(2), Duration::from_secs(9)));
    assert_eq!(at_once(synced.as_mut()).await, None);
    world.disk.inject(Fault::once(Call::Sync, "t-0"));
    partition.flushed(partition.log().flush());
    assert_eq!(at_once(synced).await, Some(Err(Uncommitted::Offline)));
}

#[tokio::test]
async fn who_waits_for_a_sync_that_the_policy_does_not_ask_for_gets_one() {
    let (world, partition) = World::with_topic(&[("flush.policy", "os")]);
    world.start();
    partition.append(batch(), NOW).unwrap();
    assert_eq!(partition.synced(Offset(1), Duration::from_secs(9)).await, Ok(()));
    assert_eq!(partition.log().flushed_offset(), Offset(1));
    world.replicas.close().await;
}

#[tokio::test]
async fn the_interval_policy_syncs_by_count_and_by_time() {
    let settings = [("flush.policy", "interval"), ("flush.messages", "3"), ("flush.ms", "1000")];
    let (world, partition) = World::with_topic(&settings);
    world.start();
    let log = partition.log();
    for _ in 0..3 {
        partition.append(batch(), NOW).unwrap();
    }
    until("a sync for three records", || log.flushed_offset() == Offset(3)).await;
    partition.append(batch(), NOW).unwrap();
    assert_eq!(log.flushed_offset(), Offset(3));
    world.clock.advance(Duration::from_secs(1));
    until("a sync after a second", || log.flushed_offset() == Offset(4)).await;
    world.replicas.close().await;
}

#[tokio::test]
async fn a_changed_policy_is_in_force_for_what_was_appended_before() {
    let (world, partition) = World::with_topic(&[]);
    partition.append(batch(), NOW).unwrap();
    let before = image(&[]);
    let after = Arc::new(image(&[("flush.policy", "os")]));
    world.replicas.changed(&before, &after);
    assert_eq!(partition.high_watermark(), Offset(1));
}

#[tokio::test]
async fn what_was_left_to_the_system_is_synced_once_the_policy_is_to_ack() {
    let settings = [("flush.policy", "os")];
    let (world, partition) = World::with_topic(&settings);
    world.start();
    partition.append(batch(), NOW).unwrap();
    assert_eq!(partition.log().flushed_offset(), Offset(0));
    world.replicas.changed(&image(&settings), &Arc::new(image(&[])));
    until("a sync", || partition.log().flushed_offset() == Offset(1)).await;
    world.replicas.close().await;
}

#[tokio::test]
async fn what_coordinators_decide_is_synced_before_it_counts() {
    for (name, seen) in [("__transaction_state", 0), ("__consumer_offsets", 1)] {
        let world = World::on(&SimDisk::new());
        let image = Arc::new(image_of(name, &[("flush.policy", "os")]));
        world.replicas.changed(&Image::default(), &image);
        let partition = world.replicas.topic_named(name).unwrap().partition(0).unwrap();
        partition.append(batch(), NOW).unwrap();
        assert_eq!(partition.high_watermark(), Offset(seen), "{name}");
    }
}

#[tokio::test]
async fn a_deleted_topic_takes_its_waits_and_its_directory_along() {
    let (world, partition) = World::with_topic(&[]);
    partition.append(batch(), NOW).unwrap();
    let committed = partition.committed(Offset(1), Duration::from_secs(9));
    world.replicas.changed(&image(&[]), &Arc::new(Image::default()));
    assert_eq!(committed.await, Err(Uncommitted::Gone));
    assert!(world.replicas.topic_named("t").is_none());
    assert!(!world.disk.exists(Path::new("/data/t-0")));
}

#[tokio::test]
async fn a_deleted_partitions_space_is_freed_after_the_delay() {
    let (world, _) = World::with_topic(&[("file.delete.delay.ms", "1000")]);
    world.start();
    let left = || {
        let entries = world.disk.read_dir(Path::new(ROOT)).unwrap();
        entries.iter().filter(|entry| entry.is_dir).count()
    };
    world.replicas.changed(&image(&[]), &Arc::new(Image::default()));
    assert_eq!(left(), 1, "renamed");
    let timers = &world.replicas.shared.timers;
    until("a timer", || timers.armed() > 0).await;
    world.clock.advance(Duration::from_millis(999));
    assert_eq!(left(), 1);
    world.clock.advance(Duration::from_millis(2));
    until("the directory to go", || left() == 0).await;
    world.replicas.close().await;
}

#[tokio::test]
async fn at_the_start_known_logs_are_opened_and_strays_go() {
    let (first, partition) = World::with_topic(&[]);
    first.start();
    partition.append(batch(), NOW).unwrap();
    partition.committed(Offset(1), Duration::from_secs(9)).await.unwrap();
    first.replicas.close().await;

    let world = World::on(&first.disk);
    world.replicas.load(&image(&[])).unwrap();
    world.replicas.changed(&Image::default(), &Arc::new(image(&[])));
    assert_eq!(world.partition().high_watermark(), Offset(1));
    world.start();
    world.replicas.close().await;

    let world = World::on(&first.disk);
    world.replicas.load(&Image::default()).unwrap();
    assert!(world.disk.exists(Path::new("/data/t-0")), "no metadata prove nothing");
    let mut other = Image::default();
    let record = TopicRecord { name: Str::from_static("other"), topic_id: Uuid([8; 16]) };
    other.apply(&record.into(), 0).unwrap();
    world.replicas.load(&other).unwrap();
    assert!(!world.disk.exists(Path::new("/data/t-0")));
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_offline_and_not_begun_anew() {
    let (first, partition) = World::with_topic(&[]);
    first.start();
    partition.append(batch(), NOW).unwrap();
    partition.committed(Offset(1), Duration::from_secs(9)).await.unwrap();
    first.replicas.close().await;

    let world = World::on(&first.disk);
    world.disk.inject(Fault::once(Call::ReadDir, "t-0"));
    world.replicas.load(&image(&[])).unwrap();
    world.replicas.changed(&Image::default(), &Arc::new(image(&[])));
    let topic = world.replicas.topic_named("t").unwrap();
    assert_eq!(topic.partition(0).err(), Some(Missing::Offline));
    assert_eq!(topic.partition(1).err(), Some(Missing::Partition));
}

/// Partition `t-0`, compacted, with many records of one key in small segments; all committed.
async fn compacted() -> (World, Arc<Partition>) {
    let (world, partition) = World::with_topic(&[
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1024"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ]);
    for _ in 0..60 {
        let mut records = BatchBuilder::new(Codec::None);
        records.append(NOW, Some(b"key"), Some(b"value"), &[]).unwrap();
        partition.append(records.build().unwrap(), NOW).unwrap();
    }
    partition.flushed(partition.log().flush());
    (world, partition)
}

#[tokio::test]
async fn a_log_is_compacted_when_enough_of_it_is_dirty_and_not_again() {
    let (world, partition) = compacted().await;
    let size = partition.log().size_bytes();
    assert!(world.replicas.compact_dirtiest());
    assert!(partition.log().size_bytes() < size / 2);
    assert!(!world.replicas.compact_dirtiest());
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_left_alone_by_compaction() {
    let (world, partition) = compacted().await;
    let path = Path::new("/data/t-0/00000000000000000000.log");
    let file = world.disk.open(path, milena_storage::fs::Mode::ReadWrite).unwrap();
    file.write_all_at(&mut [std::io::IoSlice::new(b"?")], 65).unwrap();
    let size = partition.log().size_bytes();
    assert!(world.replicas.compact_dirtiest(), "others may be due");
    assert!(!world.replicas.compact_dirtiest());
    assert_eq!((partition.log().size_bytes(), partition.log().offline()), (size, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_is_no_faster_than_it_may_be_and_stops_when_told() {
    let (world, partition) = compacted().await;
    let settings = [("log.cleaner.io.max.bytes.per.second".to_owned(), "1000".to_owned())];
    let slow = BrokerConfig::from_settings(settings.into_iter().collect()).unwrap();
    world.replicas.config.store(Arc::new(slow));
    world.start();
    let size = partition.log().size_bytes();
    for _ in 0..3 {
        let before = world.replicas.cleaner.bytes.get();
        // How long it waits depends on how much it reads at a time, and it may begin to wait at
        // any moment: time goes on until it does.
        while world.replicas.cleaner.bytes.get() == before {
            world.clock.advance(Duration::from_millis(1));
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
    // It reads and writes some 9 kB, which takes longer than has passed.
    assert_eq!(partition.log().size_bytes(), size);
    world.replicas.close().await;
    assert_eq!(partition.log().size_bytes(), size);
}
