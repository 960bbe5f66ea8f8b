//! Snapshots hold all of an image, and a crash at any moment leaves one to start from.

use std::path::PathBuf;

use milena_protocol::{
    Timestamp, Uuid,
    state::metadata::{
        BrokerEndpoint, BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord,
        PartitionChangeRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord,
        RemoveTopicRecord, TopicRecord,
    },
    wire::Str,
};
use milena_storage::{
    fs::sim::{Call, Fault, SimDisk},
    log::LogConfig,
    manager::{Identity, Manager},
};
use proptest::prelude::*;

use super::*;
use crate::{
    clock::ManualClock,
    metadata::{MetadataRecord, Quorum, ReplayError},
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const DIR: &str = "/data/__cluster_metadata-0";

/// The metadata of a broker that runs.
struct Node {
    manager: Manager,
    log: LocalLog,
    metadata: Arc<Metadata>,
    snapshots: Snapshots,
}

#[derive(Debug)]
enum Stopped {
    Directory,
    Metadata(ReplayError),
}

impl Node {
    /// Takes a snapshot whenever there is anything new, into segments of a few records.
    fn start(sim: &SimDisk) -> Result<Self, Stopped> {
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let identity = Identity {
            cluster_id: None,
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: Uuid([1; 16]),
        };
        let manager = Manager::open(Arc::clone(&disk), Path::new("/data"), identity)
            .map_err(|_| Stopped::Directory)?;
        let config = LogConfig { segment_bytes: 400, delete: false, ..LogConfig::default() };
        let (log, image) = LocalLog::open_as(&manager, config, NOW).map_err(Stopped::Metadata)?;
        let metadata = Arc::new(Metadata::default());
        metadata.publish(Arc::new(image), log.status());
        let policy = Policy { bytes: 1, interval: Duration::ZERO };
        let clock = Arc::new(ManualClock::at(NOW));
        let snapshots = Snapshots::new(disk, &log, Arc::clone(&metadata), policy, clock);
        Ok(Self { manager, log, metadata, snapshots })
    }

    fn image(&self) -> Image {
        Image::clone(&self.metadata.image())
    }

    /// The image with this topic, whether it could be committed or not.
    fn with_topic(&self, seed: u8) -> (Image, Vec<MetadataRecord>) {
        let topic_id = Uuid([seed; 16]);
        let records = vec![
            TopicRecord { name: Str::from(format!("t{seed}")), topic_id }.into(),
            PartitionRecord { partition_id: 0, topic_id, ..PartitionRecord::default() }.into(),
        ];
        let mut image = self.image();
        for record in &records {
            let offset = image.end();
            image.apply(record, offset).unwrap();
        }
        (image, records)
    }

    fn create_topic(&mut self, seed: u8) -> bool {
        let (image, records) = self.with_topic(seed);
        let committed = self.log.propose(&[records], NOW).is_ok();
        if committed {
            self.metadata.publish(Arc::new(image), self.log.status());
        }
        committed
    }
}

fn snapshots_in(sim: &SimDisk) -> Vec<i64> {
    present(sim, Path::new(DIR)).unwrap().into_iter().map(|id| id.end).collect()
}

fn path_of(sim: &SimDisk, end: i64) -> PathBuf {
    let ids = present(sim, Path::new(DIR)).unwrap();
    let id = ids.into_iter().find(|id| id.end == end).unwrap();
    Path::new(DIR).join(id.file_name())
}

fn damage(sim: &SimDisk, end: i64) {
    let file = sim.open(&path_of(sim, end), Mode::ReadWrite).unwrap();
    file.write_all_at(&mut [io::IoSlice::new(b"x")], 100).unwrap();
}

/// Some record for any numbers; many of them contradict each other.
fn record(kind: u8, a: u8, b: u8, c: i32) -> MetadataRecord {
    let (topic_id, level) = (Uuid([a; 16]), i16::from(b) - 128);
    let brokers = || (0..c.rem_euclid(4)).collect::<Vec<_>>();
    let ids = || (0..b % 3).map(|id| Uuid([id + 1; 16])).collect::<Vec<_>>();
    let text = |text: String| Str::from(text);
    match kind % 10 {
        0 => {
            let dot = ["", ".", "_"].into_iter().nth(usize::from(a % 3)).unwrap();
            TopicRecord { name: text(format!("t{dot}{a}")), topic_id }.into()
        }
        1 | 2 => PartitionRecord {
            partition_id: i32::from(b % 4),
            topic_id,
            replicas: brokers(),
            isr: brokers(),
            leader: c,
            leader_epoch: c.rem_euclid(1000),
            partition_epoch: c.rem_euclid(77),
            directories: ids(),
            ..PartitionRecord::default()
        }
        .into(),
        3 => PartitionChangeRecord {
            partition_id: i32::from(b % 4),
            topic_id,
            leader: c.rem_euclid(5) - 2,
            isr: Some(brokers()),
            ..PartitionChangeRecord::default()
        }
        .into(),
        4 => RemoveTopicRecord { topic_id }.into(),
        5 | 6 => ConfigRecord {
            resource_type: if b.is_multiple_of(2) { 2 } else { 4 },
            resource_name: text(if a == 0 { String::new() } else { format!("t{a}") }),
            name: text(format!("key.{}", b % 5)),
            value: Some(text(c.to_string())).filter(|_| c % 3 != 0),
        }
        .into(),
        7 => FeatureLevelRecord { name: text(format!("feature.{a}")), feature_level: level }.into(),
        8 if b.is_multiple_of(2) => BrokerRegistrationChangeRecord {
            broker_id: i32::from(a),
            broker_epoch: 7,
            fenced: 1,
            log_dirs: ids(),
            ..BrokerRegistrationChangeRecord::default()
        }
        .into(),
        8 => RegisterBrokerRecord {
            broker_id: i32::from(a),
            incarnation_id: Uuid([b; 16]),
            broker_epoch: 7,
            end_points: vec![BrokerEndpoint {
                name: text("PLAINTEXT".to_owned()),
                host: text(format!("host{b}")),
                port: u16::from(b),
                security_protocol: 0,
            }],
            rack: Some(text(format!("rack{c}"))).filter(|_| c % 2 == 0),
            fenced: c % 5 == 0,
            log_dirs: ids(),
            ..RegisterBrokerRecord::default()
        }
        .into(),
        _ => ProducerIdsRecord { next_producer_id: i64::from(c), ..ProducerIdsRecord::default() }
            .into(),
    }
}

fn image(numbers: &[(u8, u8, u8, i32)]) -> Image {
    let mut image = Image::default();
    for &(kind, a, b, c) in numbers {
        let offset = image.end();
        // A contradiction changes nothing.
        let _ = image.apply(&record(kind, a, b, c), offset);
    }
    image
}

fn encoded(image: &Image) -> Bytes {
    file::encode(image, LeaderEpoch(3), NOW, NOW).unwrap()
}

proptest! {
    #[test]
    fn a_snapshot_holds_all_of_an_image(
        numbers in prop::collection::vec((0..10u8, 0..6u8, any::<u8>(), any::<i32>()), 0..200),
    ) {
        let image = image(&numbers);
        prop_assert_eq!(file::decode(encoded(&image), image.end()).unwrap(), image);
    }
}

fn some_image() -> Image {
    image(&[(7, 1, 200, 0), (0, 1, 0, 0), (1, 1, 0, 4), (1, 1, 1, 5), (5, 1, 0, 1), (9, 0, 0, 9)])
}

#[test]
fn many_records_take_many_batches() {
    let mut image = some_image();
    for partition_id in 2..25_000 {
        let topic_id = Uuid([1; 16]);
        let record = PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() };
        let offset = image.end();
        image.apply(&record.into(), offset).unwrap();
    }
    assert_eq!(file::decode(encoded(&image), image.end()).unwrap(), image);
}

#[test]
fn a_snapshot_that_was_cut_or_changed_anywhere_is_not_whole() {
    let file = encoded(&some_image());
    for end in 0..file.len() {
        assert!(file::decode(file.slice(..end), 6).is_err(), "cut at {end}");
    }
    let batch_starts: Vec<usize> = {
        let mut rest = file.clone();
        let mut starts = Vec::new();
        while !rest.is_empty() {
            starts.push(file.len() - rest.len());
            milena_protocol::records::Batch::split(&mut rest).unwrap();
        }
        starts
    };
    // No checksum covers a batch's leader epoch, and a snapshot's name says it, too.
    let epoch =
        |at: usize| batch_starts.iter().any(|start| (12..16).contains(&(at - start.min(&at))));
    for at in (0..file.len()).filter(|&at| !epoch(at)) {
        let mut changed = file.to_vec();
        changed[at] ^= 0x10;
        assert!(file::decode(changed.into(), 6).is_err(), "changed at {at}");
    }
    let twice = [&file[..], &file[..]].concat();
    assert!(file::decode(twice.into(), 6).is_err());
}

#[test]
fn names_are_those_of_kafka() {
    let id = SnapshotId { end: 1234, epoch: LeaderEpoch(5) };
    assert_eq!(id.file_name(), "00000000000000001234-0000000005.checkpoint");
    assert_eq!(SnapshotId::of_file(&id.file_name()), Some(id));
    for other in ["1234-5.checkpoint", "00000000000000001234.snapshot", "leader-epoch-checkpoint"] {
        assert_eq!(SnapshotId::of_file(other), None);
    }
}

#[test]
fn the_log_begins_at_the_older_of_two_snapshots_and_old_segments_go() {
    let sim = SimDisk::new();
    let mut node = Node::start(&sim).unwrap();
    for seed in 1..=20 {
        assert!(node.create_topic(seed));
        node.snapshots.keep_up();
        node.snapshots.keep_up();
    }
    assert_eq!(snapshots_in(&sim), [38, 40]);
    assert_eq!(node.log.log.start_offset(), Offset(38));
    assert!(node.log.log.segment_count() <= 2);
    let before = node.image();
    drop(node);
    sim.crash(1);
    let node = Node::start(&sim).unwrap();
    assert_eq!(node.image(), before);
    assert_eq!(node.log.status().epoch, LeaderEpoch(2));
}

#[test]
fn a_crash_at_any_moment_loses_nothing_of_the_metadata() {
    let script = |sim: &SimDisk| -> (Image, Image) {
        let Ok(mut node) = Node::start(sim) else {
            return (Image::default(), Image::default());
        };
        for seed in 1..=7 {
            let (next, _) = node.with_topic(seed);
            if !node.create_topic(seed) {
                return (node.image(), next);
            }
            if seed % 2 == 1 {
                node.snapshots.keep_up();
            }
            if seed % 3 == 0 {
                let _ = node.manager.checkpoint();
            }
        }
        (node.image(), node.image())
    };
    let whole = SimDisk::new();
    script(&whole);
    assert_eq!(snapshots_in(&whole), [10, 14]);
    for changes in 0..=whole.changes() {
        for seed in 0..3 {
            let sim = SimDisk::new();
            sim.fail_after(changes);
            let (certain, possible) = script(&sim);
            sim.crash(seed);
            let mut node = Node::start(&sim).unwrap();
            let found = node.image();
            assert!(found == certain || found == possible, "after {changes} changes: {found:?}");
            // It goes on from there.
            assert!(node.create_topic(100));
            node.snapshots.keep_up();
            let before = node.image();
            drop(node);
            sim.crash(seed);
            assert_eq!(Node::start(&sim).unwrap().image(), before, "after {changes} changes");
        }
    }
}

/// A disk with snapshots at 4 and 6, a log from 4 to 8, and the image in them.
fn with_two_snapshots() -> (SimDisk, Image) {
    let sim = SimDisk::new();
    let mut node = Node::start(&sim).unwrap();
    for seed in 1..=3 {
        node.create_topic(seed);
        node.snapshots.keep_up();
    }
    node.create_topic(4);
    node.manager.checkpoint().unwrap();
    assert_eq!(snapshots_in(&sim), [4, 6]);
    let image = node.image();
    drop(node);
    sim.crash(1);
    (sim, image)
}

#[test]
fn an_older_snapshot_and_the_log_make_up_for_a_damaged_one() {
    let (sim, before) = with_two_snapshots();
    damage(&sim, 6);
    let mut node = Node::start(&sim).unwrap();
    assert_eq!(node.image(), before);
    // The damaged one does not count, and goes.
    node.create_topic(5);
    node.snapshots.keep_up();
    assert_eq!(snapshots_in(&sim), [4, 10]);
}

#[test]
fn a_snapshot_that_cannot_be_read_counts_as_damaged() {
    let (sim, before) = with_two_snapshots();
    sim.inject(Fault::once(Call::Read, ".checkpoint"));
    let node = Node::start(&sim).unwrap();
    assert_eq!((node.image(), node.log.snapshot.unwrap().end), (before, 4));
}

#[test]
fn nothing_is_started_from_a_log_without_its_snapshots() {
    let (sim, _) = with_two_snapshots();
    damage(&sim, 6);
    damage(&sim, 4);
    let Err(Stopped::Metadata(error)) = Node::start(&sim) else { panic!("started") };
    assert_eq!(
        error.to_string(),
        "the metadata log has offsets 4 to 8, and there is no whole snapshot (2 damaged)"
    );
}

#[test]
fn a_full_disk_puts_a_snapshot_off_and_leaves_the_log_its_room() {
    let sim = SimDisk::new();
    let mut node = Node::start(&sim).unwrap();
    node.create_topic(1);
    sim.set_capacity(1 << 40);
    let space = sim.space(Path::new("/data")).unwrap();
    sim.set_capacity(space.total - space.available);
    node.snapshots.keep_up();
    assert!(snapshots_in(&sim).is_empty());
    assert!(sim.exists(Path::new("/data/.metadata-reserve")));
    assert!(node.create_topic(2));
    node.snapshots.keep_up();
    assert!(snapshots_in(&sim).is_empty());
    assert!(node.create_topic(3));
    sim.lift_capacity();
    node.snapshots.keep_up();
    assert_eq!(snapshots_in(&sim), [6]);
}

#[test]
fn a_snapshot_that_no_start_could_read_is_not_taken_and_the_log_stays_whole() {
    let sim = SimDisk::new();
    let mut node = Node::start(&sim).unwrap();
    let bytes_max = std::mem::replace(&mut node.snapshots.bytes_max, 500);
    for seed in 1..=10 {
        assert!(node.create_topic(seed));
        node.snapshots.keep_up();
    }
    let small = snapshots_in(&sim);
    assert!(small.len() == 2 && small[1] < 10, "{small:?}");
    assert_eq!(node.log.log.start_offset(), Offset(small[0]));
    let before = node.image();
    assert_eq!(Node::start(&sim.fork()).unwrap().image(), before);

    node.snapshots.bytes_max = bytes_max;
    node.snapshots.keep_up();
    assert_eq!(snapshots_in(&sim), [small[1], 20]);
}

#[test]
fn a_snapshot_that_cannot_be_read_back_does_not_count() {
    let sim = SimDisk::new();
    let mut node = Node::start(&sim).unwrap();
    for seed in 1..=4 {
        assert!(node.create_topic(seed));
        sim.inject(Fault::once(Call::Read, ".checkpoint"));
        node.snapshots.keep_up();
        assert_eq!(snapshots_in(&sim), [0; 0]);
        sim.lift_faults();
    }
    assert_eq!(node.log.log.start_offset(), Offset(0));
}
