//! Files that have a descriptor only while they are in use: no more at a time than a budget.
//!
//! A file behaves as one that is open all the time: it can be read and written under whatever name
//! it has by now, and without any. What is closed to make room was not used for longest, roughly:
//! a hand goes round and passes by, once, what was used since it came last.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    io::IoSlice,
    os::fd::BorrowedFd,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use milena_protocol::wire::Source;

use super::{Disk, Entry, File, Lock, Mapping, Mode, Space, is_out_of_descriptors};

/// A disk on top of another. The budget is exceeded by files in use at that moment and by those
/// without a name. What is on its way to sockets has half of it at most; what else is sent is read
/// meanwhile.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    open_max: usize,
    open: AtomicUsize,
    /// Of those, on their way to sockets.
    lent: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that somebody holds, by path and a number of their own.
    files: BTreeMap<(Arc<Path>, u64), Weak<Pooled>>,
    next_id: u64,
    /// Those on their way to be opened, by their number, and whether the name went meanwhile.
    opening: BTreeMap<u64, (Arc<Path>, bool)>,
    /// Those with a descriptor, in the order in which the hand comes to them.
    round: VecDeque<Weak<Pooled>>,
}

impl Pool {
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, open_max: usize) -> Self {
        let (open, lent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { shared: Arc::new(Shared { disk, open_max, open, lent, state: Mutex::default() }) }
    }

    /// Files that have a descriptor now.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Runs `act`, which takes the names of all that is at `path` and below, each of which `part`
    /// prepares for that.
    fn orphan(
        &self,
        path: &Path,
        part: impl Fn(&Pooled),
        act: impl FnOnce(&dyn Disk) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.shared.state();
        let held = state.at_and_below(path);
        held.iter().for_each(|file| part(file));
        state.note_gone(path);
        let acted = act(&*self.shared.disk);
        if acted.is_ok() {
            state.forget(&held);
        }
        // Before the files: the last holder of one takes it.
        drop(state);
        acted
    }
}

impl Disk for Pool {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        self.shared.make_room();
        let path: Arc<Path> = path.into();
        let id = self.shared.state().begin_opening(&path);
        let opened = self.shared.sparing(|| self.shared.disk.open(&path, mode));
        let mut state = self.shared.state();
        let is_gone = state.opening.remove(&id).is_some_and(|(_, is_gone)| is_gone);
        let file = opened?;
        let pooled = Arc::new_cyclic(|itself| Pooled {
            shared: Arc::clone(&self.shared),
            itself: Weak::clone(itself),
            id,
            reopened_as: if mode == Mode::Read { Mode::Read } else { Mode::ReadWrite },
            path: Mutex::new(Arc::clone(&path)),
            slot: RwLock::new(Some(file)),
            loans: AtomicUsize::new(0),
            used: AtomicBool::new(true),
            dirty: AtomicBool::new(false),
            // It may have another name by now.
            gone: AtomicBool::new(is_gone),
            pinned: AtomicBool::new(is_gone),
            sync_failed: AtomicBool::new(false),
        });
        if !is_gone {
            state.files.insert((path, id), Arc::downgrade(&pooled));
        }
        self.shared.count_in(&mut state, &pooled.itself);
        drop(state);
        Ok(pooled)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.disk.create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.shared.disk.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.shared.sparing(|| self.shared.disk.read_dir(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.shared.disk.exists(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.orphan(path, Pooled::pin, |disk| disk.remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let remove = |disk: &dyn Disk| disk.remove_dir_all(path);
        self.shared.sparing(|| self.orphan(path, Pooled::forsake, remove))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.shared.state();
        let (moved, replaced) = (state.at_and_below(from), state.at_and_below(to));
        replaced.iter().for_each(|file| file.pin());
        state.note_gone(from);
        state.note_gone(to);
        let renamed = self.shared.disk.rename(from, to);
        if renamed.is_ok() {
            state.forget(&replaced);
            moved.iter().for_each(|file| state.follow(file, from, to));
        }
        // Before the files: the last holder of one takes it.
        drop(state);
        renamed
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.sparing(|| self.shared.disk.sync_dir(path))
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.shared.disk.sync_all(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.shared.disk.space(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.shared.sparing(|| self.shared.disk.lock(path))
    }
}

impl Shared {
    /// Makes room for one more as far as there are files to close, and for another while there are
    /// too many: where most cannot be closed, the others are not to be opened and closed all the
    /// time.
    fn make_room(&self) {
        for _ in 0..CLOSED_FOR_ONE_MAX {
            if self.open.load(Ordering::Relaxed) < self.open_max || !self.close_one(LOOKS_MAX) {
                break;
            }
        }
    }

    /// While so few files are open nobody counts those on their way to sockets: should they be
    /// closed before they are sent, the room kept for that is enough.
    fn has_plenty(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.open_max / PLENTY_SHARE
    }

    /// Runs `act`, again for as long as it lacks a descriptor and there is a file to close: what
    /// else has files open takes more than was left to it.
    fn sparing<R>(&self, mut act: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        for _ in 0..RETRIES_MAX {
            match act() {
                Err(error) if is_out_of_descriptors(&error) && self.close_any() => {}
                done => return done,
            }
        }
        act()
    }

    /// Closes one of all that can be closed. What was used since the hand came by is not passed by
    /// twice.
    fn close_any(&self) -> bool {
        self.close_one(usize::MAX) || self.close_one(usize::MAX)
    }

    fn close_one(&self, looks_max: usize) -> bool {
        // Let go of after the lock: the last holder of a file takes it.
        let mut held = Vec::new();
        let mut unsynced: Option<Arc<Pooled>> = None;
        {
            let mut state = self.state();
            let mut is_closed = false;
            for _ in 0..state.round.len().min(looks_max) {
                let Some(next) = state.round.pop_front() else { break };
                let Some(file) = next.upgrade() else { continue };
                let (is_idle, is_dirty) = (file.is_idle(), file.dirty.load(Ordering::Relaxed));
                is_closed = is_idle && !is_dirty && file.close();
                if is_idle && is_dirty && unsynced.is_none() {
                    unsynced = Some(Arc::clone(&file));
                } else if !is_closed {
                    state.round.push_back(next);
                }
                file.used.store(false, Ordering::Relaxed);
                held.push(file);
                if is_closed {
                    break;
                }
            }
            if is_closed {
                state.round.extend(unsynced.map(|file| Weak::clone(&file.itself)));
                return true;
            }
        }
        let Some(file) = unsynced else { return false };
        let closed = file.close_synced();
        if !closed {
            self.state().round.push_back(Weak::clone(&file.itself));
        }
        closed
    }

    fn count_in(&self, state: &mut State, file: &Weak<Pooled>) {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        state.round.push_back(Weak::clone(file));
        // Of what nobody holds any more, the hand may not have come by.
        if state.round.len() > open.saturating_mul(2) + LOOKS_MAX {
            state.round.retain(|file| file.strong_count() > 0);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The number of a file that is about to be opened.
    fn begin_opening(&mut self, path: &Arc<Path>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.opening.insert(id, (Arc::clone(path), false));
        id
    }

    /// The names at `path` and below go.
    fn note_gone(&mut self, path: &Path) {
        for (opening, is_gone) in self.opening.values_mut() {
            *is_gone |= opening.starts_with(path);
        }
    }

    fn at_and_below(&self, path: &Path) -> Vec<Arc<Pooled>> {
        let from = self.files.range((Arc::from(path), 0)..);
        let below = from.take_while(|((at, _), _)| at.starts_with(path));
        below.filter_map(|(_, file)| file.upgrade()).collect()
    }

    /// Files without a name are not found by one.
    fn forget(&mut self, files: &[Arc<Pooled>]) {
        for file in files {
            self.files.remove(&(Arc::clone(&file.path()), file.id));
        }
    }

    /// Takes note of a file's new name, once `from` is called `to`.
    fn follow(&mut self, file: &Pooled, from: &Path, to: &Path) {
        let mut path = file.path();
        let Ok(below) = path.strip_prefix(from) else { return };
        // Joined to nothing, a path would get a slash at its end.
        let moved = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        let moved: Arc<Path> = moved.into();
        if let Some(entry) = self.files.remove(&(Arc::clone(&path), file.id)) {
            self.files.insert((Arc::clone(&moved), file.id), entry);
        }
        *path = moved;
    }
}

/// A file with a descriptor or without. Nobody takes the pool's lock with the slot in hand.
struct Pooled {
    shared: Arc<Shared>,
    itself: Weak<Self>,
    id: u64,
    reopened_as: Mode,
    path: Mutex<Arc<Path>>,
    /// Held for reading while the file is used.
    slot: RwLock<Option<Arc<dyn File>>>,
    /// Sources that have the descriptor. It stays open meanwhile.
    loans: AtomicUsize,
    /// Since the hand last came by.
    used: AtomicBool,
    /// Written to since it was last synced. It is not closed before it is: what a write that fails
    /// later has to say is said to those who have the file open.
    dirty: AtomicBool,
    /// Its name is another file's by now, or nobody's: once closed it is not opened again.
    gone: AtomicBool,
    /// Stays open until nobody holds it.
    pinned: AtomicBool,
    /// The sync before it was to be closed failed, of which nobody was told yet.
    sync_failed: AtomicBool,
}

impl Pooled {
    fn with<R>(&self, act: impl FnOnce(&Arc<dyn File>) -> io::Result<R>) -> io::Result<R> {
        self.used.store(true, Ordering::Relaxed);
        loop {
            if let Some(file) = &*self.slot.read().unwrap_or_else(PoisonError::into_inner) {
                return act(file);
            }
            self.shared.make_room();
            self.shared.sparing(|| self.reopen(&mut self.shared.state()))?;
        }
    }

    fn reopen(&self, state: &mut State) -> io::Result<()> {
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            if self.gone.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::NotFound.into());
            }
            *slot = Some(self.shared.disk.open(&self.path(), self.reopened_as)?);
            self.shared.count_in(state, &self.itself);
        }
        Ok(())
    }

    /// Keeps it open from now on. One that cannot be opened is lost with its name.
    fn pin(&self) {
        if self.gone.swap(true, Ordering::Relaxed) {
            // What has the name now is another file.
            return;
        }
        self.pinned.store(true, Ordering::Relaxed);
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none()
            && let Ok(file) = self.shared.disk.open(&self.path(), self.reopened_as)
        {
            *slot = Some(file);
            self.shared.open.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It goes with the directory that it is in, in which nobody has anything to look for: for
    /// whoever still holds it, it is not opened, nor kept open once room is needed.
    fn forsake(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        !self.used.load(Ordering::Relaxed) && !self.stays_open()
    }

    fn stays_open(&self) -> bool {
        self.pinned.load(Ordering::Relaxed) || self.loans.load(Ordering::Relaxed) > 0
    }

    /// Another loan of a file costs nothing more.
    fn may_be_lent(&self) -> bool {
        self.loans.load(Ordering::Relaxed) > 0
            || self.shared.lent.load(Ordering::Relaxed) < self.shared.open_max.div_ceil(2)
    }

    /// Closes it unless it is used at this moment, or is dirty or to stay open by now.
    fn close(&self) -> bool {
        let Ok(mut slot) = self.slot.try_write() else { return false };
        if self.dirty.load(Ordering::Relaxed) || self.stays_open() || slot.is_none() {
            return false;
        }
        *slot = None;
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn close_synced(&self) -> bool {
        let Ok(mut slot) = self.slot.try_write() else { return false };
        let Some(file) = &*slot else { return false };
        if self.stays_open() {
            return false;
        }
        if file.sync_data().is_err() {
            self.sync_failed.store(true, Ordering::Relaxed);
            self.pinned.store(true, Ordering::Relaxed);
            return false;
        }
        self.dirty.store(false, Ordering::Relaxed);
        // Who takes its name waits for the slot, and finds it open.
        if self.pinned.load(Ordering::Relaxed) {
            return false;
        }
        *slot = None;
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn path(&self) -> MutexGuard<'_, Arc<Path>> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File for Pooled {
    fn len(&self) -> io::Result<u64> {
        self.with(|file| file.len())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.with(|file| file.read_at(buf, position))
    }

    fn write_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.with(|file| {
            let written = file.write_all_at(slices, position);
            // Afterwards, so that a sync that does not cover it does not take the mark away.
            self.dirty.store(true, Ordering::Relaxed);
            written
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|file| {
            if self.sync_failed.swap(false, Ordering::Relaxed) {
                return Err(io::Error::other("an earlier sync failed"));
            }
            self.dirty.store(false, Ordering::Relaxed);
            let synced = file.sync_data();
            if synced.is_err() {
                self.pinned.store(true, Ordering::Relaxed);
            }
            synced
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|file| {
            let cut = file.set_len(len);
            self.dirty.store(true, Ordering::Relaxed);
            cut
        })
    }

    fn forget_cached(&self, from: u64) -> io::Result<()> {
        self.with(|file| file.forget_cached(from))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.with(|file| file.allocate(len))
    }

    fn map(&self, len: usize) -> io::Result<Mapping> {
        self.with(|file| file.map(len))
    }

    fn as_source(self: Arc<Self>) -> Arc<dyn Source> {
        if self.shared.has_plenty()
            && let Ok(source) = self.with(|file| Ok(Arc::clone(file).as_source()))
        {
            return source;
        }
        if self.may_be_lent()
            && let Ok(loan) = self.with(|file| Ok(Loan::of(&self, file)))
        {
            return Arc::new(loan);
        }
        self
    }
}

impl Source for Pooled {
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        self.with(|file| file.read_exact_at(buf, position))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let is_open = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_open {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
        }
        let key = (Arc::clone(&self.path()), self.id);
        self.shared.state().files.remove(&key);
    }
}

/// A file on its way to a socket, with its descriptor.
#[derive(Debug)]
struct Loan {
    pooled: Arc<Pooled>,
    file: Arc<dyn File>,
}

impl Loan {
    /// With the slot of `pooled` in hand, which `file` is in.
    fn of(pooled: &Arc<Pooled>, file: &Arc<dyn File>) -> Self {
        if pooled.loans.fetch_add(1, Ordering::Relaxed) == 0 {
            pooled.shared.lent.fetch_add(1, Ordering::Relaxed);
        }
        Self { pooled: Arc::clone(pooled), file: Arc::clone(file) }
    }
}

impl Source for Loan {
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, position)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.fd()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if self.pooled.loans.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.pooled.shared.lent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&self.path()).finish()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("disk", &self.shared.disk)
            .field("open_max", &self.shared.open_max)
            .finish_non_exhaustive()
    }
}

/// Files that the hand passes before it gives up.
const LOOKS_MAX: usize = 256;
const CLOSED_FOR_ONE_MAX: usize = 2;
/// One part in so many of the descriptors is kept for what is closed while it is being sent.
const PLENTY_SHARE: usize = 8;
/// Files that are closed for one that others take the room of.
const RETRIES_MAX: usize = 100;

#[cfg(test)]
mod tests;
