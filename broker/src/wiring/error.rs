//! Why a broker did not start.

use std::{error::Error, fmt, io, path::PathBuf};

use milena_storage::manager::ManagerError;

use crate::metadata::{NotCommitted, ReplayError};

#[derive(Debug)]
pub enum StartError {
    /// `log.dirs` names none.
    NoDirectory,
    Directory {
        directory: PathBuf,
        error: ManagerError,
    },
    /// What was there cannot be taken up again.
    Metadata(ReplayError),
    /// The logs cannot even be looked for.
    Logs(ManagerError),
    /// This broker could not be registered.
    Register(NotCommitted),
    Thread(io::Error),
    Listen {
        listener: String,
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory => f.write_str("there is no data directory"),
            Self::Directory { directory, error } => {
                write!(f, "cannot use directory {}: {error}", directory.display())
            }
            Self::Metadata(error) => write!(f, "cannot take up the metadata: {error}"),
            Self::Logs(error) => write!(f, "cannot open the logs: {error}"),
            Self::Register(error) => write!(f, "cannot register this broker: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Listen { listener, error } => write!(f, "cannot listen on {listener}: {error}"),
        }
    }
}

impl Error for StartError {}
