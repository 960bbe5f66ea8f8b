//! The metadata log of a single node: a partition's log like any other, `__cluster_metadata-0`,
//! committed by fsync. Its batches and records are Kafka's, so that Kafka's tools read it.

use std::{fmt, io, sync::Arc};

use bytes::{Bytes, BytesMut};
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp, Uuid,
    compression::{Codec, InflateLimit},
    records::{Batch, BatchBuilder, BatchError, BuildError},
    state::metadata::MetadataRecord,
    wire::Malformed,
};
use milena_storage::{
    log::{Append, AppendError, FlushError, Log, LogConfig, Origin, ReadError, ReadLimits},
    manager::{Manager, ManagerError},
};
use tracing::warn;

use super::{Image, Inconsistent, NotCommitted, Quorum, Status, reserve::Reserve};

/// The log, opened for this start under an epoch of its own.
#[derive(Debug)]
pub struct LocalLog {
    log: Arc<Log>,
    epoch: LeaderEpoch,
    reserve: Reserve,
}

impl LocalLog {
    /// Opens the log in this directory, or begins it, and replays it.
    ///
    /// # Errors
    /// The log is damaged, or says something that this release does not understand: the broker
    /// must not go on from half of its state.
    pub fn open(manager: &Manager, now: Timestamp) -> Result<(Self, Image), ReplayError> {
        let log = manager.create(TOPIC, TOPIC_ID, 0, &Arc::new(config()), now)?;
        let image = replay(&log)?;
        let epoch = log.latest_epoch().map_or(1, |latest| latest.0 + 1);
        let reserve = Reserve::open(Arc::clone(manager.disk()), manager.root());
        Ok((Self { log, epoch: LeaderEpoch(epoch), reserve }, image))
    }

    /// Appends, and where the disk is full once more in the room that was kept for it.
    fn append(&mut self, bytes: Bytes, now: Timestamp) -> Result<(), AppendError> {
        let append = Append { origin: Origin::Coordinator, leader_epoch: self.epoch, now };
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
            bytes.extend_from_slice(&batch(records, now).map_err(|error| refused(&error))?);
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
    Read(ReadError),
    Io(io::Error),
    Batch { offset: Offset, error: BatchError },
    Record { offset: Offset, error: Malformed },
    Empty { offset: Offset },
    Inconsistent(Inconsistent),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Batch { offset, error } => {
                write!(f, "the metadata log has a bad batch at offset {}: {error}", offset.0)
            }
            Self::Record { offset, error } => {
                write!(f, "the metadata log has a record at offset {} that {error}", offset.0)
            }
            Self::Empty { offset } => {
                write!(f, "the metadata log has a record without a value at offset {}", offset.0)
            }
            Self::Inconsistent(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<ManagerError> for ReplayError {
    fn from(error: ManagerError) -> Self {
        Self::Open(error)
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

impl From<Inconsistent> for ReplayError {
    fn from(error: Inconsistent) -> Self {
        Self::Inconsistent(error)
    }
}

fn replay(log: &Log) -> Result<Image, ReplayError> {
    let mut image = Image::default();
    let end = log.end_offset();
    let limits = ReadLimits { max_bytes: READ_BYTES, upper: end, at_least_one: true };
    let mut next = log.start_offset();
    while next < end {
        let mut bytes = log.read(next, limits)?.records.to_bytes()?;
        if bytes.is_empty() {
            return Err(ReplayError::Empty { offset: next });
        }
        while !bytes.is_empty() {
            let batch = Batch::split(&mut bytes)
                .map_err(|error| ReplayError::Batch { offset: next, error })?;
            next = batch.last_offset().next();
            take_in(&mut image, &batch)?;
        }
    }
    Ok(image)
}

/// Control batches say something about the quorum, not about the cluster.
fn take_in(image: &mut Image, batch: &Batch) -> Result<(), ReplayError> {
    if batch.is_control() {
        return Ok(());
    }
    let at = batch.base_offset();
    let bad = |error| ReplayError::Batch { offset: at, error };
    for record in batch.records(InflateLimit::default()).map_err(bad)? {
        let record = record.map_err(bad)?;
        let offset = record.offset;
        let value = record.value.ok_or(ReplayError::Empty { offset })?;
        let record =
            MetadataRecord::decode(value).map_err(|error| ReplayError::Record { offset, error })?;
        image.apply(&record, offset.0)?;
    }
    Ok(())
}

fn batch(records: &[MetadataRecord], now: Timestamp) -> Result<Bytes, BuildError> {
    let mut builder = BatchBuilder::new(Codec::None);
    for record in records {
        builder.append(now, None, Some(&record.encode(version_written(record))), &[])?;
    }
    builder.build()
}

/// The version that each kind of record is written in: those of the one `metadata.version` that
/// the cluster can have.
const fn version_written(record: &MetadataRecord) -> i16 {
    match record {
        MetadataRecord::RegisterBroker(_) => 3,
        MetadataRecord::BrokerRegistrationChange(_) => 2,
        MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => 1,
        _ => 0,
    }
}

/// Nothing is ever deleted from it: it is all the state there is.
fn config() -> LogConfig {
    LogConfig { retention_ms: None, retention_bytes: None, delete: false, ..LogConfig::default() }
}

const TOPIC: &str = "__cluster_metadata";
/// The id that Kafka gives this topic everywhere.
const TOPIC_ID: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// Bytes that are replayed at a time; one batch may be larger.
const READ_BYTES: usize = 4 << 20;

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
        assert!(matches!(LocalLog::open(&manager, NOW), Err(ReplayError::Inconsistent(_))));
    }
}
