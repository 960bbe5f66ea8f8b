//! Room on the disk that is kept back for the metadata log, so that a broker whose disk is full
//! can still start and can still be told to delete something.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use milena_storage::fs::{Disk, Mode};
use tracing::warn;

/// A file of allocated blocks with nothing in it.
#[derive(Debug)]
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    held: bool,
}

impl Reserve {
    /// A reserve in `dir`: the one that is there, or a new one if there is room.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        let mut reserve = Self { disk, dir: dir.to_owned(), held: false };
        reserve.held = reserve.disk.exists(&reserve.path());
        reserve.replenish();
        reserve
    }

    /// Gives the room up; false if there was none to give.
    pub(super) fn release(&mut self) -> bool {
        if !self.held {
            return false;
        }
        self.held = false;
        match self.disk.remove_file(&self.path()) {
            Ok(()) => true,
            Err(error) => {
                warn!(%error, "could not give up the room kept for the metadata");
                false
            }
        }
    }

    /// Takes room again once there is plenty.
    pub(super) fn replenish(&mut self) {
        let plenty = |available| available >= PLENTY_BYTES;
        if self.held || !self.disk.space(&self.dir).is_ok_and(|space| plenty(space.available)) {
            return;
        }
        match self.take() {
            Ok(()) => self.held = true,
            Err(error) => warn!(%error, "could not keep room for the metadata"),
        }
    }

    fn take(&self) -> io::Result<()> {
        let file = self.disk.open(&self.path(), Mode::CreateOrOpen)?;
        file.allocate(RESERVE_BYTES)?;
        self.disk.sync_dir(&self.dir)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }
}

const FILE: &str = ".metadata-reserve";
/// Thousands of records.
pub(super) const RESERVE_BYTES: u64 = 1 << 20;
/// Below this the room is of more use to whoever needs it now.
const PLENTY_BYTES: u64 = 64 << 20;
