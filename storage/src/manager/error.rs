//! Why a data directory, or a partition in it, cannot be used.

use std::{fmt, io, path::PathBuf};

use milena_protocol::Uuid;

use super::PartitionName;
use crate::{log::FlushError, meta::WrongOwner, recovery::OpenError};

#[derive(Debug)]
pub enum ManagerError {
    Io(io::Error),
    /// Another process uses the directory.
    Locked {
        root: PathBuf,
    },
    WrongOwner(WrongOwner),
    /// `meta.properties` is there but cannot be read; nobody may guess whose directory this is.
    DamagedMeta {
        root: PathBuf,
        reason: String,
    },
    /// Not a name that a partition may have.
    BadName {
        topic: String,
        partition: i32,
    },
    /// The directory is another topic's of the same name, or nobody's.
    ForeignTopic {
        name: PartitionName,
        found: Option<Uuid>,
        expected: Uuid,
    },
    NotOpen {
        name: PartitionName,
    },
    /// The directory has a log of this partition already.
    Present {
        name: PartitionName,
    },
    /// The log that is moved could not be read, or its copy not be written.
    Copy {
        name: PartitionName,
        reason: String,
    },
    Open {
        name: PartitionName,
        error: OpenError,
    },
    Flush {
        name: PartitionName,
        error: FlushError,
    },
}

impl ManagerError {
    /// The directory cannot be used now, and others can without it: its disk has failed or is not
    /// there. Else somebody has to set something right first.
    pub fn is_failure_of_the_disk(&self) -> bool {
        matches!(self, Self::Io(_) | Self::DamagedMeta { .. })
    }
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Locked { root } => {
                write!(f, "{} is in use by another process", root.display())
            }
            Self::WrongOwner(owner) => owner.fmt(f),
            Self::DamagedMeta { root, reason } => {
                write!(f, "meta.properties of {} cannot be read: {reason}", root.display())
            }
            Self::BadName { topic, partition } => {
                write!(f, "{topic:?} partition {partition} cannot have a directory")
            }
            Self::ForeignTopic { name, found: Some(found), expected } => {
                write!(f, "directory {name} belongs to topic {found}, not to {expected}")
            }
            Self::ForeignTopic { name, found: None, expected } => {
                write!(f, "directory {name} does not say that it belongs to topic {expected}")
            }
            Self::NotOpen { name } => write!(f, "{name} is not open"),
            Self::Present { name } => write!(f, "{name} is here already"),
            Self::Copy { name, reason } => write!(f, "{name} was not copied: {reason}"),
            Self::Open { name, error } => write!(f, "{name}: {error}"),
            Self::Flush { name, error } => write!(f, "{name}: {error}"),
        }
    }
}

impl std::error::Error for ManagerError {}

impl From<io::Error> for ManagerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
