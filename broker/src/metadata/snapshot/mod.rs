//! Snapshots of the metadata: what the log says up to some offset, in a file of its own, so that the
//! log may begin there.
//!
//! What a crash leaves at any moment is a state to start from: a snapshot has its name once it is
//! whole and synced, and only then does the log lose what an older one holds.

mod contents;
mod due;
mod file;

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use milena_protocol::{LeaderEpoch, Offset, records::BuildError};
use milena_storage::{
    checkpoint,
    fs::{Disk, Mode},
    log::{Log, TrimError},
};
use tracing::{error, info, warn};

pub(super) use self::due::Appended;
pub use self::{due::Policy, file::SnapshotId};
use self::{due::superseded, file::Unreadable};
use super::{Image, LocalLog, Metadata, reserve::RESERVE_BYTES};
use crate::clock::Clock;

/// Takes snapshots of the current image when they are due. Waits for the disk, but only for a
/// moment does the log, and with it the controller, wait for this.
#[derive(Debug)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    log: Arc<Log>,
    /// Of all that is appended in this run.
    epoch: LeaderEpoch,
    appended: Arc<Mutex<Appended>>,
    metadata: Arc<Metadata>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    /// What a start reads of one file.
    bytes_max: u64,
    /// Known to be whole.
    last: Option<SnapshotId>,
    /// When that was taken, or when this run began.
    since: Duration,
}

impl Snapshots {
    /// Of the images of `metadata`, which are made from `log` on `disk`.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        log: &LocalLog,
        metadata: Arc<Metadata>,
        policy: Policy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            disk,
            log: Arc::clone(&log.log),
            epoch: log.epoch,
            appended: Arc::clone(&log.appended),
            metadata,
            policy,
            since: clock.monotonic(),
            clock,
            bytes_max: FILE_BYTES_MAX,
            last: log.snapshot,
        }
    }

    /// Takes a snapshot if one is due. One that cannot be written is tried again when this is
    /// called again.
    pub fn keep_up(&mut self) {
        let appended = *lock(&self.appended);
        let elapsed = self.clock.monotonic().saturating_sub(self.since);
        if !self.policy.is_due(appended, elapsed) || self.log.offline().is_some() {
            return;
        }
        if let Err(error) = self.take(appended) {
            warn!(%error, "could not take a snapshot of the metadata; it is tried again");
        }
    }

    fn take(&mut self, appended: Appended) -> Result<(), TakeError> {
        let image = self.metadata.image();
        let id = SnapshotId { end: image.end(), epoch: self.epoch };
        if self.last.is_some_and(|last| last >= id) {
            return Ok(());
        }
        let contents = file::encode(&image, self.epoch, appended.timestamp, self.clock.now())?;
        let bytes = contents.len() as u64;
        if bytes > self.bytes_max {
            return Err(Unreadable::TooLarge { bytes }.into());
        }
        self.check_room(bytes)?;
        let path = self.log.dir().join(id.file_name());
        checkpoint::replace(&*self.disk, &path, &contents)?;
        drop(contents);
        // Once it counts, the log loses what no other snapshot may hold.
        if let Err(reason) = read(&*self.disk, &path, id, self.bytes_max) {
            self.disk.remove_file(&path)?;
            return Err(reason.into());
        }
        info!(end = id.end, bytes, "took a snapshot of the metadata");
        lock(&self.appended).subtract(appended);
        self.since = self.clock.monotonic();
        let previous = self.last.replace(id);
        if let Err(error) = self.make_room(id, previous) {
            warn!(%error, "what a snapshot supersedes stays until the next one");
        }
        Ok(())
    }

    /// The log is not to find its last room taken.
    fn check_room(&self, bytes: u64) -> io::Result<()> {
        let available = self.disk.space(self.log.dir())?.available;
        let wanted = RESERVE_BYTES.saturating_add(bytes);
        if available < wanted { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn make_room(&self, newest: SnapshotId, previous: Option<SnapshotId>) -> Result<(), TakeError> {
        let gone = superseded(newest, previous, &present(&*self.disk, self.log.dir())?);
        if let Some(start) = gone.log_start {
            for segment in self.log.advance_start(Offset(start))? {
                // Nobody reads the log while the broker runs.
                segment.remove(&*self.disk)?;
            }
        }
        for id in gone.snapshots {
            self.disk.remove_file(&self.log.dir().join(id.file_name()))?;
        }
        Ok(())
    }
}

/// The newest whole snapshot in `dir` and what it holds, for a log that has the records from
/// `start` to `end`: nothing of either is missing in between.
pub(super) fn load(
    disk: &dyn Disk,
    dir: &Path,
    (start, end): (Offset, Offset),
) -> Result<(Option<SnapshotId>, Image), LoadError> {
    sweep(disk, dir)?;
    let mut found = (None, Image::default());
    let mut damaged = 0;
    for id in present(disk, dir)?.into_iter().rev() {
        match read(disk, &dir.join(id.file_name()), id, FILE_BYTES_MAX) {
            Ok(image) => {
                found = (Some(id), image);
                break;
            }
            Err(reason) => {
                error!(file = id.file_name(), %reason, "passed over a damaged snapshot");
                damaged += 1;
            }
        }
    }
    let image_end = Offset(found.1.end());
    if start <= image_end && image_end <= end {
        return Ok(found);
    }
    Err(LoadError::Apart { snapshot: found.0, damaged, start, end })
}

/// Why there is nothing to start from.
#[derive(Debug)]
pub enum LoadError {
    Io(io::Error),
    /// The log does not go on where the newest whole snapshot ends.
    Apart {
        snapshot: Option<SnapshotId>,
        /// Newer ones that were of no use.
        damaged: usize,
        start: Offset,
        end: Offset,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the snapshots: {error}"),
            Self::Apart { snapshot, damaged, start, end } => {
                write!(f, "the metadata log has offsets {} to {}, and ", start.0, end.0)?;
                match snapshot {
                    Some(id) => write!(f, "the newest whole snapshot ends at {}", id.end)?,
                    None => f.write_str("there is no whole snapshot")?,
                }
                write!(f, " ({damaged} damaged)")
            }
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Debug)]
enum TakeError {
    Build(BuildError),
    Io(io::Error),
    /// The next start could not read it.
    Unreadable(Unreadable),
    Trim(TrimError),
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Unreadable(reason) => reason.fmt(f),
            Self::Trim(error) => error.fmt(f),
        }
    }
}

impl From<BuildError> for TakeError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<io::Error> for TakeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Unreadable> for TakeError {
    fn from(reason: Unreadable) -> Self {
        Self::Unreadable(reason)
    }
}

impl From<TrimError> for TakeError {
    fn from(error: TrimError) -> Self {
        Self::Trim(error)
    }
}

/// All that have a name, oldest first.
fn present(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<SnapshotId>> {
    let entries = disk.read_dir(dir)?;
    let mut ids: Vec<_> =
        entries.iter().filter_map(|entry| SnapshotId::of_file(&entry.name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

fn read(disk: &dyn Disk, path: &Path, id: SnapshotId, bytes_max: u64) -> Result<Image, Unreadable> {
    let file = disk.open(path, Mode::Read)?;
    let bytes = file.len()?;
    let len = usize::try_from(bytes).ok().filter(|_| bytes <= bytes_max);
    let mut contents = vec![0; len.ok_or(Unreadable::TooLarge { bytes })?];
    file.read_exact_at(&mut contents, 0)?;
    file::decode(Bytes::from(contents), id.end)
}

/// Removes what a crash kept from getting its name.
fn sweep(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for entry in disk.read_dir(dir)? {
        if entry.name.strip_suffix(TEMPORARY).and_then(SnapshotId::of_file).is_some() {
            disk.remove_file(&dir.join(entry.name))?;
        }
    }
    Ok(())
}

fn lock(appended: &Mutex<Appended>) -> MutexGuard<'_, Appended> {
    appended.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`checkpoint::replace`] names it.
const TEMPORARY: &str = ".tmp";
/// Millions of partitions.
const FILE_BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
