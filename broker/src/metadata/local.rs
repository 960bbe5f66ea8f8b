//! The metadata log of a single node: a partition's log like any other, `__cluster_metadata-0`,
//! committed by fsync. Its batches and records are Kafka's, so that Kafka's tools read it.
//!
//! The state is what the newest whole snapshot holds, and what the log says after that.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp, Uuid, compression::Codec, records::BatchBuilder,
    state::metadata::MetadataRecord,
};
use milena_storage::{
    log::{Append, AppendError, FlushError, Log, LogConfig, Origin, ReadError, ReadLimits},
    manager::{Manager, ManagerError},
};
use tracing::warn;

use super::{
    Damage, Image, NotCommitted, Quorum, Status,
    batches::{batch, split, take_in},
    reserve::Reserve,
    snapshot::{self, Appended, LoadError, SnapshotId},
};

/// The log, opened for this start under an epoch of its own.
#[derive(Debug)]
pub struct LocalLog {
    pub(super) log: Arc<Log>,
    pub(super) epoch: LeaderEpoch,
    /// What the start was made from.
    pub(super) snapshot: Option<SnapshotId>,
    /// Shared with whoever takes snapshots.
    pub(super) appended: Arc<Mutex<Appended>>,
    reserve: Reserve,
}

impl LocalLog {
    /// Opens the log in this directory, or begins it, and takes up the state in it.
    ///
    /// # Errors
    /// The log is damaged, or says something that this release does not understand, or does not
    /// go on from any whole snapshot: the broker must not go on from half of its state.
    pub fn open(manager: &Manager, now: Timestamp) -> Result<(Self, Image), ReplayError> {
        Self::open_as(manager, config(), now)
    }

    pub(super) fn open_as(
        manager: &Manager,
        config: LogConfig,
        now: Timestamp,
    ) -> Result<(Self, Image), ReplayError> {
        let log = manager.create(TOPIC, TOPIC_ID, 0, &Arc::new(config), now)?;
        let disk = manager.disk();
        let (snapshot, mut image) = snapshot::load(&**disk, log.dir(), log.bounds())?;
        let appended = replay(&log, &mut image)?;
        let latest = log.latest_epoch().max(snapshot.map(|id| id.epoch));
        let epoch = LeaderEpoch(latest.map_or(1, |latest| latest.0 + 1));
        let reserve = Reserve::open(Arc::clone(disk), manager.root());
        let appended = Arc::new(Mutex::new(appended));
        Ok((Self { log, epoch, snapshot, appended, reserve }, image))
    }

    /// Appends, and where the disk is full once more in the room that was kept for it.
    fn append(&mut self, bytes: Bytes, now: Timestamp) -> Result<(), AppendError> {
        let append = Append { origin: Origin::Coordinator, leader_epoch: self.epoch, now };
        let size = bytes.len() as u64;
        match self.log.append(bytes.clone(), append) {
            Err(AppendError::NoSpace) if self.reserve.release() => {
                warn!("the disk is full: wrote metadata in the room that was kept for it");
                self.log.append(bytes, append)?;
            }
            appended => {
                appended?;
                self.reserve.replenish();
            }
        }
        self.appended.lock().unwrap_or_else(PoisonError::into_inner).add(size, now);
        Ok(())
    }
}

impl Quorum for LocalLog {
    fn propose(
        &mut self,
        batches: &[Vec<MetadataRecord>],
        now: Timestamp,
    ) -> Result<i64, NotCommitted> {
        let refused = |error: &dyn fmt::Display| NotCommitted(error.to_string());
        let mut bytes = BytesMut::new();
        for records in batches {
            let builder = BatchBuilder::new(Codec::None);
            let batch = batch(builder, records, now).map_err(|error| refused(&error))?;
            bytes.extend_from_slice(&batch);
        }
        self.append(bytes.freeze(), now).map_err(|error| refused(&error))?;
        let end = self.log.flush().map_err(|error: FlushError| refused(&error))?;
        Ok(end.0)
    }

    fn status(&self) -> Status {
        Status { epoch: self.epoch, committed: self.log.flushed_offset().0 }
    }
}

/// Why the metadata could not be taken up again.
#[derive(Debug)]
pub enum ReplayError {
    Open(ManagerError),
    Snapshot(LoadError),
    Read(ReadError),
    Io(io::Error),
    Damaged(Damage),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Damaged(damage) => write!(f, "the metadata log is damaged: {damage}"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<ManagerError> for ReplayError {
    fn from(error: ManagerError) -> Self {
        Self::Open(error)
    }
}

impl From<LoadError> for ReplayError {
    fn from(error: LoadError) -> Self {
        Self::Snapshot(error)
    }
}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Damage> for ReplayError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// Has `image` take in all that the log says after it; how much that was.
fn replay(log: &Log, image: &mut Image) -> Result<Appended, ReplayError> {
    let mut appended = Appended::default();
    let end = log.end_offset();
    let limits = ReadLimits { max_bytes: READ_BYTES, upper: end, at_least_one: true };
    let mut next = Offset(image.end());
    while next < end {
        let mut bytes = log.read(next, limits)?.records.to_bytes()?;
        if bytes.is_empty() {
            return Err(Damage::Gap { expected: next, found: end }.into());
        }
        while !bytes.is_empty() {
            let batch = split(&mut bytes, next)?;
            next = batch.last_offset().next();
            take_in(image, &batch)?;
            appended.add(batch.size() as u64, batch.max_timestamp());
        }
    }
    Ok(appended)
}

/// Snapshots say what may go from it: nothing goes by its age or size.
fn config() -> LogConfig {
    LogConfig {
        segment_bytes: SEGMENT_BYTES,
        retention_ms: None,
        retention_bytes: None,
        delete: false,
        ..LogConfig::default()
    }
}

const TOPIC: &str = "__cluster_metadata";
/// The id that Kafka gives this topic everywhere.
const TOPIC_ID: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// Bytes that are replayed at a time; one batch may be larger.
const READ_BYTES: usize = 4 << 20;
/// A segment goes once a snapshot has passed all of it: a large one would outlast many.
const SEGMENT_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use milena_protocol::{
        state::metadata::{PartitionRecord, RemoveTopicRecord, TopicRecord},
        wire::Str,
    };
    use milena_storage::{
        fs::{Disk, sim::SimDisk},
        manager::Identity,
    };

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn manager(disk: &Arc<dyn Disk>) -> Manager {
        let identity = Identity {
            cluster_id: None,
            node_id: 1,
            new_cluster_id: "cluster".to_owned(),
            new_directory_id: Uuid([1; 16]),
        };
        Manager::open(Arc::clone(disk), Path::new("/data"), identity).unwrap()
    }

    fn topic(seed: u8) -> Vec<MetadataRecord> {
        let topic_id = Uuid([seed; 16]);
        vec![
            TopicRecord { name: Str::from(format!("t{seed}")), topic_id }.into(),
            PartitionRecord { partition_id: 0, topic_id, ..PartitionRecord::default() }.into(),
        ]
    }

    #[test]
    fn what_was_proposed_is_there_after_a_crash_and_the_epoch_is_another() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let first = manager(&disk);
        let (mut log, empty) = LocalLog::open(&first, NOW).unwrap();
        assert_eq!(empty, Image::default());
        assert_eq!(log.propose(&[topic(1), topic(2)], NOW), Ok(4));
        assert_eq!(log.propose(&[topic(3)], NOW), Ok(6));
        assert_eq!(log.status(), Status { epoch: LeaderEpoch(1), committed: 6 });
        drop((log, first));
        sim.crash(7);

        let second = manager(&disk);
        let (mut log, replayed) = LocalLog::open(&second, NOW).unwrap();
        assert_eq!((replayed.end(), replayed.topics().count()), (6, 3));
        assert_eq!(log.propose(&[topic(4)], NOW), Ok(8));
        assert_eq!(log.status(), Status { epoch: LeaderEpoch(2), committed: 8 });
    }

    #[test]
    fn a_full_disk_still_takes_changes() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let first = manager(&disk);
        let (mut log, _) = LocalLog::open(&first, NOW).unwrap();
        log.propose(&[topic(1)], NOW).unwrap();
        sim.set_capacity(1 << 40);
        let space = sim.space(Path::new("/data")).unwrap();
        sim.set_capacity(space.total - space.available);
        let remove = RemoveTopicRecord { topic_id: Uuid([1; 16]) };
        assert!(disk.exists(Path::new("/data/.metadata-reserve")));
        assert_eq!(log.propose(&[vec![remove.into()]], NOW), Ok(3));
        assert!(!disk.exists(Path::new("/data/.metadata-reserve")));
        assert_eq!(log.propose(&[topic(2)], NOW), Ok(5));
    }

    #[test]
    fn a_log_that_contradicts_itself_stops_the_start() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let manager = manager(&disk);
        let (mut log, _) = LocalLog::open(&manager, NOW).unwrap();
        log.propose(&[topic(1), topic(1)], NOW).unwrap();
        assert!(matches!(
            LocalLog::open(&manager, NOW),
            Err(ReplayError::Damaged(Damage::Inconsistent(_)))
        ));
    }
}
