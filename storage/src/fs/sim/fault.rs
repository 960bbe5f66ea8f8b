//! Calls that fail because a test wants them to.

use std::{io, path::Path};

/// A call to the disk, as far as faults tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Create,
    CreateDir,
    Read,
    ReadDir,
    Write,
    SetLen,
    Allocate,
    /// A failed one loses what was written since the last.
    Sync,
    Rename,
    Remove,
    SyncDir,
    Space,
}

/// Makes one call fail.
#[derive(Clone, Debug)]
pub struct Fault {
    call: Call,
    path_part: String,
    skip: u64,
    errno: i32,
}

impl Fault {
    /// The next `call` on a path that contains `path_part` fails with EIO.
    #[must_use]
    pub fn once(call: Call, path_part: &str) -> Self {
        Self { call, path_part: path_part.to_owned(), skip: 0, errno: EIO }
    }

    /// Lets `skip` such calls through first.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Fails with this error of the operating system instead.
    #[must_use]
    pub fn with_errno(self, errno: i32) -> Self {
        Self { errno, ..self }
    }

    /// The error for this call, if it is the one.
    pub(super) fn strike(&mut self, call: Call, path: &Path) -> Option<io::Error> {
        if self.call != call || !path.to_string_lossy().contains(&self.path_part) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        Some(io::Error::from_raw_os_error(self.errno))
    }
}

const EIO: i32 = 5;
