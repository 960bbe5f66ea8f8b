//! A disk in memory for tests, which forgets what was not synced.
//!
//! Contents and directory entries have two states: what everyone sees, and what is on the medium.
//! [`SimDisk::crash`] takes the first away and leaves the second, plus whatever the kernel might
//! have written back by itself:
//! - of each file, any subset of the pages written since its last fsync, any of them torn between
//!   two sectors, and any length between the synced and the seen one;
//! - of each directory, any prefix of the entries made, renamed and removed since its last sync.
//!
//! Every change has a number, so that a test can run the same work once for each place where the
//! power could fail ([`SimDisk::fail_after`]). Calls fail on demand ([`SimDisk::inject`]), the disk
//! fills up ([`SimDisk::set_capacity`]), a failed fsync drops the pages it should have written, as
//! Linux does. The same seed and the same calls give the same disk.

mod chance;
mod contents;
mod fault;
mod state;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    io::{ErrorKind, IoSlice},
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use milena_protocol::wire::Source;

use super::{Disk, Entry, File, Lock, Mapping, Mode, Space};
use state::State;

pub use fault::{Call, Fault};
pub use state::{OPS_KEPT_MAX, Op};

/// The disk. A clone is the same disk; [`SimDisk::fork`] makes another one.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk without limits, on which nothing but `/` exists.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::new(Mutex::new(State::new())) }
    }

    /// The power fails and comes back: keeps what was synced and, chosen by `seed`, some of what
    /// was not. Files and locks held from before are dead, faults and [`SimDisk::fail_after`] are
    /// lifted, the capacity stays.
    pub fn crash(&self, seed: u64) {
        self.state().crash(seed);
    }

    /// Another disk in the same state, on which nothing is open yet.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state().fork())) }
    }

    /// Lets `changes` more changes through; after them every call fails until [`SimDisk::crash`].
    pub fn fail_after(&self, changes: u64) {
        self.state().fail_after(changes);
    }

    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes back every fault and [`SimDisk::fail_after`].
    pub fn lift_faults(&self) {
        self.state().lift_faults();
    }

    /// Writes that need more than `bytes` in all files together fail with `StorageFull`, after
    /// having written what fits.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = Some(bytes);
    }

    pub fn lift_capacity(&self) {
        self.state().capacity = None;
    }

    /// Of files and directories no more than `files` are open at a time: what needs another fails
    /// with EMFILE.
    pub fn set_files_max(&self, files: usize) {
        self.state().files_max = Some(files);
    }

    /// Puts a remark between the changes, such as "acknowledged offset 7".
    pub fn note(&self, remark: impl Into<String>) {
        self.state().log(Op::Note(remark.into()));
    }

    /// How many changes there were.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// How often a file was read from, since this disk was made or forked.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// The changes and notes, oldest first; of very many the last [`OPS_KEPT_MAX`].
    #[must_use]
    pub fn ops(&self) -> Vec<Op> {
        self.state().ops.iter().cloned().collect()
    }

    /// Whether the file's contents and length would survive a crash. Says nothing of its name.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn is_synced(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state();
        let node = state.find_file(path)?;
        Ok(state.contents(node)?.is_synced())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk({} changes)", self.state().changes)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.admit(Call::Open, path)?;
        state.admit_descriptor()?;
        let node = match (state.find_file(path), mode) {
            (Ok(_), Mode::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (Ok(node), _) => node,
            (Err(error), Mode::CreateNew | Mode::CreateOrOpen)
                if error.kind() == ErrorKind::NotFound =>
            {
                state.create_file(path)?
            }
            (Err(error), _) => return Err(error),
        };
        state.opened(node);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            life: state.life,
            node,
            path: path.to_owned(),
            writable: mode != Mode::Read,
        }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.state().create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.state().create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        state.admit(Call::ReadDir, path)?;
        state.admit_descriptor()?;
        state.read_dir(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().find(path).is_ok()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.state().remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.state().remove_dir_all(path)
    }

    /// Within one directory alone: between two, what a crash leaves depends on the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.admit_descriptor()?;
        state.sync_dir(path)
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.state().sync_all(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let mut state = self.state();
        state.admit(Call::Space, path)?;
        let total = state.capacity.unwrap_or(u64::MAX);
        Ok(Space { total, available: total.saturating_sub(state.used()) })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut state = self.state();
        state.admit(Call::Open, path)?;
        if state.find_file(path).is_err() {
            state.create_file(path)?;
        }
        if !state.locks.insert(path.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), life: state.life, path: path.to_owned() }))
    }
}

/// An open file. It keeps the path it was opened by, whatever it is renamed to.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    life: u64,
    node: u64,
    path: PathBuf,
    writable: bool,
}

impl SimFile {
    /// The disk, if it is still the one that this file was opened on.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.life == self.life {
            Ok(state)
        } else {
            Err(io::Error::other("this file was opened before the crash"))
        }
    }

    fn state_to_write(&self) -> io::Result<MutexGuard<'_, State>> {
        if self.writable { self.state() } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.closed(self.node);
        }
    }
}

impl Source for SimFile {
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        let wanted = buf.len();
        if self.read_at(buf, position)? == wanted {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.contents(self.node)?.len())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.state()?;
        state.admit(Call::Read, &self.path)?;
        state.reads += 1;
        Ok(state.contents(self.node)?.read(buf, position))
    }

    fn write_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.state_to_write()?.write(self.node, &self.path, &bytes, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.sync_data(self.node, &self.path)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state_to_write()?.set_len(self.node, &self.path, len)
    }

    fn forget_cached(&self, from: u64) -> io::Result<()> {
        self.state()?.contents(self.node)?.forget_clean(from);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.state_to_write()?.allocate(self.node, &self.path, len)
    }

    fn map(&self, len: usize) -> io::Result<Mapping> {
        let mut copy = vec![0; len];
        self.read_exact_at(&mut copy, 0)?;
        Ok(Mapping::new(copy))
    }

    fn as_source(self: Arc<Self>) -> Arc<dyn Source> {
        self
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    life: u64,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}
