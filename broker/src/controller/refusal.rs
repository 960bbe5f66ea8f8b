//! Why the controller says no.

use std::fmt;

use milena_protocol::Uuid;

use super::name::BadName;
use crate::{config::WrongValue, metadata::NotCommitted};

/// One item of a request that cannot be done. The text is what the client is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The same thing twice in one request; what it is.
    Twice(&'static str),
    BadName(BadName),
    /// The name is kept for the broker itself.
    Reserved(String),
    /// The name differs from another topic's in dots and underscores alone.
    Lookalike {
        name: String,
        other: String,
    },
    TopicExists(String),
    UnknownTopic,
    UnknownTopicId(Uuid),
    UnknownPartition {
        index: i32,
    },
    /// Neither or both of name and id.
    NameOrId,
    DeletionDisabled,
    NoPartitions {
        asked: i32,
    },
    TooManyPartitions {
        asked: i32,
        max: i32,
    },
    /// This and what came before it in the request are too much for one change.
    TooMuchAtOnce {
        max: i32,
    },
    NotMorePartitions {
        now: usize,
        asked: i32,
    },
    ReplicationFactor {
        asked: i32,
        brokers: usize,
    },
    AssignmentAndCounts,
    BadAssignment(String),
    NullSetting {
        key: String,
    },
    /// An alteration that sets nothing.
    NoValue {
        key: String,
    },
    UnknownSetting {
        key: String,
    },
    WrongSetting(WrongValue),
    NotAList {
        key: String,
    },
    UnknownOperation {
        number: i8,
    },
    UnknownResource {
        number: i8,
    },
    BadResource(String),
    ElectionNotNeeded,
    /// No replica that may lead is there.
    NoLeader,
    NothingToCancel,
    UnknownFeature {
        name: String,
    },
    FeatureLevel {
        name: String,
        asked: i16,
        min: i16,
        max: i16,
    },
    /// It would be raised by a downgrade, or lowered by an upgrade.
    FeatureDirection {
        name: String,
        asked: i16,
        now: i16,
    },
    UnknownUpgrade {
        name: String,
    },
    /// Decided, but not written down: the log of the metadata failed.
    NotCommitted(NotCommitted),
}

impl From<NotCommitted> for Refusal {
    fn from(error: NotCommitted) -> Self {
        Self::NotCommitted(error)
    }
}

impl From<BadName> for Refusal {
    fn from(error: BadName) -> Self {
        Self::BadName(error)
    }
}

impl From<WrongValue> for Refusal {
    fn from(error: WrongValue) -> Self {
        Self::WrongSetting(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(what) => write!(f, "the request names the same {what} more than once"),
            Self::BadName(error) => error.fmt(f),
            Self::Reserved(name) => write!(f, "topic {name:?} belongs to the broker"),
            Self::Lookalike { name, other } => write!(
                f,
                "topic {name:?} collides with topic {other:?}: names must differ in more than \
                 dots and underscores"
            ),
            Self::TopicExists(name) => write!(f, "topic {name:?} already exists"),
            Self::UnknownTopic => f.write_str("there is no such topic"),
            Self::UnknownTopicId(id) => write!(f, "there is no topic with id {id}"),
            Self::UnknownPartition { index } => write!(f, "there is no partition {index}"),
            Self::NameOrId => f.write_str("a topic is named either by its name or by its id"),
            Self::DeletionDisabled => {
                f.write_str("topic deletion is disabled (delete.topic.enable=false)")
            }
            Self::NoPartitions { asked } => {
                write!(f, "{asked} partitions: at least 1, or -1 for the broker's default")
            }
            Self::TooManyPartitions { asked, max } => {
                write!(f, "{asked} partitions: at most {max} can be created at once")
            }
            Self::TooMuchAtOnce { max } => {
                write!(f, "the request creates more than {max} partitions in all")
            }
            Self::NotMorePartitions { now, asked } => write!(
                f,
                "the topic has {now} partitions already, and {asked} would not be an increase"
            ),
            Self::ReplicationFactor { asked, brokers } => write!(
                f,
                "replication factor {asked}: from 1 to {brokers}, the number of brokers, or -1 \
                 for the broker's default"
            ),
            Self::AssignmentAndCounts => f.write_str(
                "with an assignment of replicas, partitions and replication factor must be -1",
            ),
            Self::BadAssignment(why) => f.write_str(why),
            Self::NullSetting { key } | Self::NoValue { key } => {
                write!(f, "configuration {key} has no value")
            }
            Self::UnknownSetting { key } => write!(f, "unknown configuration {key}"),
            Self::WrongSetting(error) => error.fmt(f),
            Self::NotAList { key } => {
                write!(f, "configuration {key} is not a list to be extended or shortened")
            }
            Self::UnknownOperation { number } => write!(f, "unknown operation {number}"),
            Self::UnknownResource { number } => {
                write!(f, "resources of type {number} have no configuration here")
            }
            Self::BadResource(why) => f.write_str(why),
            Self::ElectionNotNeeded => {
                f.write_str("the partition already has the leader that it should have")
            }
            Self::NoLeader => f.write_str("no replica that may lead is there"),
            Self::NothingToCancel => f.write_str("the partition is not being moved"),
            Self::UnknownFeature { name } => write!(f, "there is no feature {name}"),
            Self::FeatureLevel { name, asked, min, max } => {
                write!(f, "feature {name} cannot have level {asked}: from {min} to {max}")
            }
            Self::FeatureDirection { name, asked, now } => {
                let way = if asked < now { "a downgrade" } else { "an upgrade" };
                write!(f, "feature {name}: from level {now} to {asked} is {way}")
            }
            Self::UnknownUpgrade { name } => {
                write!(f, "feature {name}: unknown type of upgrade")
            }
            Self::NotCommitted(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}
