//! The only door to the disk. The broker runs on [`RealDisk`]; tests run on a [`sim::SimDisk`] that
//! forgets what was not synced, tears the last write, fills up and fails on demand.

mod pool;
mod real;
pub mod sim;

use std::{fmt, io, io::IoSlice, path::Path, sync::Arc};

use milena_protocol::wire::Source;
use rustix::io::Errno;

pub use pool::Pool;
pub use real::RealDisk;

/// Directories and files by path. Nothing that was created, renamed or removed is certain to
/// survive a crash before [`Disk::sync_dir`] on its parent returns.
pub trait Disk: Send + Sync + fmt::Debug {
    /// # Errors
    /// `NotFound` unless the mode creates, `AlreadyExists` for [`Mode::CreateNew`], and whatever
    /// the medium reports.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>>;
    /// `AlreadyExists` if anything is there; the one above it must be.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// What is directly in `path`, sorted by name.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;
    fn exists(&self, path: &Path) -> bool;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes the directory and all that is in it, which nobody uses any more: what is open may
    /// be read on, or not.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Replaces `to` if it exists.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// syncfs: all that was written so far at `path` and below, contents and names, whoever wrote
    /// it, survives a crash once this returns. One call, where there would be several for each of
    /// many files. The rest of the volume is synced with it.
    fn sync_all(&self, path: &Path) -> io::Result<()>;
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the lock file at `path` for as long as the value lives; `WouldBlock` if another
    /// process (or another holder in this one) has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// One open file. Positions are explicit, so that readers and the writer share it freely.
pub trait File: Source {
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads at most `buf.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all slices one after the other from `position`. On an error any prefix may have
    /// been written.
    fn write_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;
    /// fdatasync: contents and length survive a crash once this returns. After an error nothing
    /// may be assumed of any byte written since the last success; do not retry.
    fn sync_data(&self) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Has what lies at `from` and behind it read from the medium again, as far as no write to it
    /// is still on its way there. What a failed fsync left in memory counts as written, and may
    /// be read for as long as nobody asks for this.
    fn forget_cached(&self, from: u64) -> io::Result<()>;
    /// Reserves blocks up to `len` without changing the length (fallocate, keep size); does
    /// nothing where the file system cannot.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// The first `len` bytes, mapped for reading. Only for files that no longer change.
    fn map(&self, len: usize) -> io::Result<Mapping>;
    /// The same file as something that a frame can be sent from.
    fn as_source(self: Arc<Self>) -> Arc<dyn Source>;
}

/// Of the process (`EMFILE`) or of the machine (`ENFILE`). Nothing but opening a file needs one, so
/// that of a call that fails with this nothing was done.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Held for as long as the directory is in use.
pub trait Lock: Send + Sync + fmt::Debug {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Must exist; writing is an error.
    Read,
    /// Must exist.
    ReadWrite,
    /// Must not exist.
    CreateNew,
    /// Opened as it is, or created empty.
    CreateOrOpen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
    /// Bytes; 0 for a directory.
    pub len: u64,
}

/// Bytes of the volume that a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub available: u64,
}

/// A read-only view of a file.
pub struct Mapping(Box<dyn AsRef<[u8]> + Send + Sync>);

impl Mapping {
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Box::new(bytes))
    }
}

impl std::ops::Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.len())
    }
}
