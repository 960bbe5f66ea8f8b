//! Why a broker did not start.

use std::{error::Error, fmt, io, path::PathBuf};

use milena_storage::meta::WrongOwner;

#[derive(Debug)]
pub enum StartError {
    Directory { directory: PathBuf, error: io::Error },
    WrongOwner { directory: PathBuf, owner: WrongOwner },
    Listen { listener: String, error: io::Error },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { directory, error } => {
                write!(f, "cannot use directory {}: {error}", directory.display())
            }
            Self::WrongOwner { directory, owner } => {
                write!(f, "cannot use directory {}: {owner}", directory.display())
            }
            Self::Listen { listener, error } => write!(f, "cannot listen on {listener}: {error}"),
        }
    }
}

impl Error for StartError {}
