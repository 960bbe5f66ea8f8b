//! The one map from what went wrong inside to the number that clients are told. No arm is a
//! wildcard: a new kind of failure does not compile before it has its code.

use milena_protocol::ErrorCode;

use crate::controller::Refusal;

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
            | Self::UnknownUpgrade { .. } => ErrorCode::InvalidUpdateVersion,
            Self::NotCommitted(_) => ErrorCode::KafkaStorageError,
        }
    }
}
