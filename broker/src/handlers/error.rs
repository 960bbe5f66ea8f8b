//! The one map from what went wrong inside to the number that clients are told. No arm is a
//! wildcard: a new kind of failure does not compile before it has its code.

use milena_protocol::{ErrorCode, records::BatchError};
use milena_storage::log::{AppendError, ReadError, TrimError};

use crate::{
    controller::Refusal,
    coordinator::{runtime::Unavailable, txn::NotWritten},
    replica::{
        DeleteRecordsError, EpochError, Missing, MoveError, Uncommitted, fetch::FetchError,
        fetch_session::SessionError,
    },
};

/// An inner error that has a place on the wire.
pub trait Coded {
    fn code(&self) -> ErrorCode;
}

/// The code of an outcome: [`ErrorCode::None`] if it is one.
impl<T, E: Coded> Coded for Result<T, E> {
    fn code(&self) -> ErrorCode {
        match self {
            Ok(_) => ErrorCode::None,
            Err(error) => error.code(),
        }
    }
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Twice(_)
            | Self::Reserved(_)
            | Self::NameOrId
            | Self::AssignmentAndCounts
            | Self::NoValue { .. }
            | Self::UnknownOperation { .. }
            | Self::UnknownResource { .. }
            | Self::BadResource(_) => ErrorCode::InvalidRequest,
            Self::BadName(_) | Self::Lookalike { .. } => ErrorCode::InvalidTopicException,
            Self::TopicExists(_) => ErrorCode::TopicAlreadyExists,
            Self::UnknownTopic | Self::UnknownPartition { .. } => {
                ErrorCode::UnknownTopicOrPartition
            }
            Self::UnknownTopicId(_) => ErrorCode::UnknownTopicId,
            Self::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
            Self::NoPartitions { .. }
            | Self::TooManyPartitions { .. }
            | Self::NotMorePartitions { .. } => ErrorCode::InvalidPartitions,
            Self::TooMuchAtOnce { .. } => ErrorCode::PolicyViolation,
            Self::ReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
            Self::BadAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::NullSetting { .. }
            | Self::UnknownSetting { .. }
            | Self::WrongSetting(_)
            | Self::NotAList { .. } => ErrorCode::InvalidConfig,
            Self::ElectionNotNeeded => ErrorCode::ElectionNotNeeded,
            Self::NoLeader => ErrorCode::EligibleLeadersNotAvailable,
            Self::NothingToCancel => ErrorCode::NoReassignmentInProgress,
            Self::UnknownFeature { .. }
            | Self::FeatureLevel { .. }
            | Self::FeatureDirection { .. }
            | Self::UnknownUpgrade { .. } => ErrorCode::InvalidUpdateVersion,
            Self::NotCommitted(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl Coded for AppendError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Corrupt(error) => error.code(),
            Self::Invalid { .. } => ErrorCode::InvalidRecord,
            Self::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::UnsupportedCodec(_) => ErrorCode::UnsupportedCompressionType,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::FencedProducer { .. } => ErrorCode::InvalidProducerEpoch,
            Self::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
            Self::FencedCoordinator { .. } => ErrorCode::TransactionCoordinatorFenced,
            // Only a leader's batches can be that.
            Self::NotNext { .. } => ErrorCode::OffsetOutOfRange,
            Self::NoSpace | Self::Io(_) | Self::Offline(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl Coded for BatchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Truncated { .. }
            | Self::BadMagic(_)
            | Self::BadLength(_)
            | Self::BadChecksum { .. }
            | Self::Codec(_) => ErrorCode::CorruptMessage,
            Self::BadOffsets { .. }
            | Self::BadCount { .. }
            | Self::Record { .. }
            | Self::MissingRecords { .. }
            | Self::TrailingBytes(_)
            | Self::BadControlRecord => ErrorCode::InvalidRecord,
        }
    }
}

impl Coded for ReadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Corrupt { .. } => ErrorCode::CorruptMessage,
            Self::Io(_) | Self::Offline(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl Coded for Missing {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Topic | Self::Partition => ErrorCode::UnknownTopicOrPartition,
            Self::TopicId => ErrorCode::UnknownTopicId,
            Self::Offline => ErrorCode::KafkaStorageError,
        }
    }
}

impl Coded for MoveError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownDirectory => ErrorCode::LogDirNotFound,
            Self::FailedDirectory => ErrorCode::KafkaStorageError,
            Self::NameTooLong => ErrorCode::InvalidTopicException,
            Self::Missing(missing) => missing.code(),
        }
    }
}

impl Coded for EpochError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fenced => ErrorCode::FencedLeaderEpoch,
            Self::Unknown => ErrorCode::UnknownLeaderEpoch,
        }
    }
}

impl Coded for FetchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(missing) => missing.code(),
            Self::Epoch(error) => error.code(),
            Self::Read(error) => error.code(),
        }
    }
}

impl Coded for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownId => ErrorCode::FetchSessionIdNotFound,
            Self::InvalidEpoch => ErrorCode::InvalidFetchSessionEpoch,
            Self::TopicIdMismatch => ErrorCode::FetchSessionTopicIdError,
        }
    }
}

impl Coded for Uncommitted {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TimedOut => ErrorCode::RequestTimedOut,
            Self::Offline => ErrorCode::KafkaStorageError,
            Self::Gone => ErrorCode::UnknownTopicOrPartition,
        }
    }
}

impl Coded for Unavailable {
    fn code(&self) -> ErrorCode {
        Self::code(*self)
    }
}

impl Coded for NotWritten {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Gone => ErrorCode::UnknownTopicOrPartition,
            Self::FencedProducer => ErrorCode::InvalidProducerEpoch,
            Self::FencedCoordinator => ErrorCode::TransactionCoordinatorFenced,
            Self::NotNow => ErrorCode::NotLeaderOrFollower,
        }
    }
}

impl Coded for DeleteRecordsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::BeyondHighWatermark => ErrorCode::OffsetOutOfRange,
            Self::Trim(TrimError::OutOfRange { .. }) => ErrorCode::OffsetOutOfRange,
            Self::Trim(TrimError::Corrupt(error)) => error.code(),
            Self::Trim(TrimError::Io(_) | TrimError::Offline(_)) | Self::NotNoted => {
                ErrorCode::KafkaStorageError
            }
            // Another broker, or this one once it is back, can do it.
            Self::Stopping => ErrorCode::NotLeaderOrFollower,
        }
    }
}
