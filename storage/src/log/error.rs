//! Why a log refused, as facts; the broker turns them into the wire's codes.

use std::{fmt, io, sync::Arc};

use milena_protocol::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, records::BatchError,
};

/// Nothing was appended, whichever it is.
#[derive(Debug)]
pub enum AppendError {
    /// The bytes are not what their header claims.
    Corrupt(BatchError),
    /// Whole and undamaged, but not acceptable. `records` names the culprits where single records
    /// are at fault.
    Invalid {
        reason: InvalidBatch,
        records: Vec<RecordError>,
    },
    /// Timestamps outside the topic's bounds.
    InvalidTimestamp {
        records: Vec<RecordError>,
    },
    /// The batch is larger than `max.message.bytes`, or inflates beyond every bound.
    TooLarge {
        size: usize,
        max: usize,
    },
    /// The batch names a codec that does not exist.
    UnsupportedCodec(u8),
    /// Neither the next batch of its producer nor one of the last five.
    OutOfOrderSequence {
        producer: ProducerId,
        sequence: i32,
        last: i32,
    },
    /// A newer incarnation of the producer has written already.
    FencedProducer {
        producer: ProducerId,
        epoch: ProducerEpoch,
        current: ProducerEpoch,
    },
    /// A newer coordinator has ended a transaction of the producer already.
    FencedCoordinator {
        producer: ProducerId,
        epoch: i32,
        current: i32,
    },
    /// A batch outside the transaction that its producer has open here, or of one that is not
    /// known to be open.
    InvalidTransactionState {
        producer: ProducerId,
    },
    /// Replicated batches do not continue this log.
    NotNext {
        expected: Offset,
        found: Offset,
    },
    /// The volume is full. The log goes on and recovers by itself once there is room.
    NoSpace,
    /// Written nothing, and the log is as it was.
    Io(io::Error),
    Offline(Offline),
}

/// One record's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Position in the batch, from 0.
    pub index: i32,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidBatch {
    /// A produce request carries exactly one batch per partition.
    BatchCount { found: usize },
    /// Message formats 0 and 1 are no longer written.
    OldFormat(i8),
    /// The header's count and its last offset delta disagree.
    RecordCount { count: i32, last_offset_delta: i32 },
    /// Clients count a batch's offsets from 0.
    BaseOffset(Offset),
    /// Only the broker writes control batches.
    Control,
    /// A producer id without epoch or sequence.
    ProducerId,
    /// Records of a compacted topic need keys.
    MissingKey,
    /// The records do not decode.
    Records,
}

#[derive(Debug)]
pub enum ReadError {
    OutOfRange {
        requested: Offset,
        start: Offset,
        end: Offset,
    },
    /// A batch on disk is damaged: named, never skipped.
    Corrupt {
        offset: Offset,
        segment: Offset,
        position: u64,
    },
    Io(io::Error),
    Offline(Offline),
}

/// The log took a fault that it cannot vouch for its contents after, such as a failed fsync. Only
/// opening it again, which re-reads what is on the disk, brings it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offline(pub Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlushError {
    /// fdatasync failed: nothing written since the last success is certain, and it is not retried.
    Offline(Offline),
    /// Not all of it could be tried, as there was no descriptor to be had. What was written is where
    /// it was.
    NoDescriptor,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    pub timestamp: Timestamp,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(error) => write!(f, "corrupt batch: {error}"),
            Self::Invalid { reason, records } => {
                write!(f, "{reason}")?;
                fmt_records(records, f)
            }
            Self::InvalidTimestamp { records } => {
                f.write_str("timestamp out of bounds")?;
                fmt_records(records, f)
            }
            Self::TooLarge { size, max } => {
                write!(f, "batch of {size} bytes, at most {max} are accepted")
            }
            Self::UnsupportedCodec(codec) => write!(f, "unknown codec {codec}"),
            Self::OutOfOrderSequence { producer, sequence, last } => {
                write!(f, "producer {} sent sequence {sequence} after {last}", producer.0)
            }
            Self::FencedProducer { producer, epoch, current } => {
                write!(f, "producer {} has epoch {}, not {}", producer.0, current.0, epoch.0)
            }
            Self::FencedCoordinator { producer, epoch, current } => {
                write!(f, "coordinator of producer {} has epoch {current}, not {epoch}", producer.0)
            }
            Self::InvalidTransactionState { producer } => {
                write!(f, "producer {} wrote outside of an open transaction", producer.0)
            }
            Self::NotNext { expected, found } => {
                write!(f, "batch at offset {} where {} was expected", found.0, expected.0)
            }
            Self::NoSpace => f.write_str("no space left on the volume"),
            Self::Io(error) => write!(f, "write failed: {error}"),
            Self::Offline(offline) => offline.fmt(f),
        }
    }
}

impl fmt::Display for InvalidBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BatchCount { found } => write!(f, "{found} batches where one was expected"),
            Self::OldFormat(magic) => write!(f, "message format {magic} is no longer accepted"),
            Self::RecordCount { count, last_offset_delta } => {
                write!(f, "{count} records with a last offset delta of {last_offset_delta}")
            }
            Self::BaseOffset(base) => write!(f, "base offset {} where 0 was expected", base.0),
            Self::Control => f.write_str("clients may not write control batches"),
            Self::ProducerId => f.write_str("producer id without a valid epoch and sequence"),
            Self::MissingKey => f.write_str("a compacted topic accepts no record without a key"),
            Self::Records => f.write_str("the batch's records do not decode"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { requested, start, end } => {
                write!(f, "offset {} is outside {}..{}", requested.0, start.0, end.0)
            }
            Self::Corrupt { offset, segment, position } => write!(
                f,
                "corrupt batch near offset {}, segment {} position {position}",
                offset.0, segment.0
            ),
            Self::Io(error) => write!(f, "read failed: {error}"),
            Self::Offline(offline) => offline.fmt(f),
        }
    }
}

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log is offline: {}", self.0)
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline(offline) => offline.fmt(f),
            Self::NoDescriptor => f.write_str("no descriptor is left to sync with"),
        }
    }
}

impl std::error::Error for AppendError {}
impl std::error::Error for ReadError {}
impl std::error::Error for Offline {}
impl std::error::Error for FlushError {}

impl From<Offline> for AppendError {
    fn from(offline: Offline) -> Self {
        Self::Offline(offline)
    }
}

impl From<Offline> for ReadError {
    fn from(offline: Offline) -> Self {
        Self::Offline(offline)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A full volume is told apart from every other failure.
impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

fn fmt_records(records: &[RecordError], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match records.first() {
        Some(first) => write!(f, ": record {}: {}", first.index, first.message),
        None => Ok(()),
    }
}
