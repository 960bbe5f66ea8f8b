//! A file of entries of one size, in order: in memory while it grows, mapped once it is sealed.

use std::{
    fmt, io,
    io::{ErrorKind, IoSlice},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard},
};

use super::{Damage, OpenError};
use crate::fs::{Disk, File, Mapping, Mode};

/// One entry of a table.
pub(super) trait Entry: Copy + fmt::Debug + Send + Sync {
    const BYTES: usize;

    /// `raw` is [`Entry::BYTES`] long. `None` if it is of an unknown version.
    fn read(raw: &[u8]) -> Option<Self>;
    fn write(&self, out: &mut Vec<u8>);
    /// Whether this may come directly or later after `previous`.
    fn follows(&self, previous: &Self) -> bool;
}

/// The entries of one index file. Its methods know nothing of what the entries mean.
#[derive(Debug)]
pub(super) struct Table<E> {
    disk: Arc<dyn Disk>,
    entries_max: usize,
    state: RwLock<State<E>>,
    /// Held during a sync, so that nobody takes one that is under way for done. Taken first.
    syncing: Mutex<()>,
}

#[derive(Debug)]
struct State<E> {
    path: PathBuf,
    entries: Entries<E>,
}

#[derive(Debug)]
enum Entries<E> {
    Growing {
        /// `None` until there is something to write, for a table that has no file until then.
        file: Option<Arc<dyn File>>,
        entries: Vec<E>,
        /// How many of the entries the file has.
        written: usize,
        /// The file was changed since the last sync.
        unsynced: bool,
    },
    Sealed {
        count: usize,
        last: Option<E>,
        mapping: Option<Mapping>,
        /// Written since the last sync.
        dirty: Option<Arc<dyn File>>,
    },
}

impl<E: Entry> Table<E> {
    /// A table without entries. Its file is made now, in the place of one that may be there: of a
    /// file that is emptied and written anew a crash may leave pages of both.
    pub(super) fn create(disk: Arc<dyn Disk>, path: PathBuf, bytes_max: u32) -> io::Result<Self> {
        match disk.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(&path, Mode::CreateNew)?;
        Ok(Self::growing(disk, path, bytes_max, Some(file), Vec::new()))
    }

    /// A table without entries whose file is made when the first of them is written.
    pub(super) fn absent(disk: Arc<dyn Disk>, path: PathBuf, bytes_max: u32) -> Self {
        Self::growing(disk, path, bytes_max, None, Vec::new())
    }

    /// Makes the file of a table that has none yet.
    pub(super) fn make_file(&self) -> io::Result<()> {
        let State { path, entries } = &mut *self.state_mut();
        if let Entries::Growing { file: file @ None, .. } = entries {
            *file = Some(self.disk.open(path, Mode::CreateOrOpen)?);
        }
        Ok(())
    }

    /// Opens a table to read it, after a look at its length and its first and last entry.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        bytes_max: u32,
        in_range: impl Fn(&E) -> bool,
    ) -> Result<Self, OpenError> {
        let file = disk.open(&path, Mode::Read)?;
        let count = entry_count::<E>(file.len()?)?;
        let mut last = None;
        if count > 0 {
            let first = read_entry::<E>(&*file, 0)?;
            let end = read_entry::<E>(&*file, count - 1)?;
            if count > 1 && !end.follows(&first) {
                return Err(Damage::NotIncreasing { at: count - 1 }.into());
            }
            for (at, entry) in [(0, &first), (count - 1, &end)] {
                if !in_range(entry) {
                    return Err(Damage::OutOfRange { at }.into());
                }
            }
            last = Some(end);
        }
        let entries = Entries::Sealed { count, last, mapping: None, dirty: None };
        let entries_max = bytes_max as usize / E::BYTES;
        Ok(Self {
            disk,
            entries_max,
            state: RwLock::new(State { path, entries }),
            syncing: Mutex::new(()),
        })
    }

    /// Opens a table to append to it, after a look at every entry.
    pub(super) fn open_growing(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        bytes_max: u32,
        in_range: impl Fn(&E) -> bool,
    ) -> Result<Self, OpenError> {
        let file = disk.open(&path, Mode::ReadWrite)?;
        let entries = read_entries::<E>(&*file)?;
        if let Some(at) = entries.iter().position(|entry| !in_range(entry)) {
            return Err(Damage::OutOfRange { at }.into());
        }
        Ok(Self::growing(disk, path, bytes_max, Some(file), entries))
    }

    /// Opens a table to append to it, with the entries that `is_below` holds of; they come before
    /// all others. Also returns what ended them if that is no entry. The file may go on behind them
    /// until [`Table::end_file`].
    pub(super) fn open_below(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        bytes_max: u32,
        is_below: impl Fn(&E) -> bool,
        in_range: impl Fn(&E) -> bool,
    ) -> Result<(Self, Option<Damage>), OpenError> {
        let file = disk.open(&path, Mode::ReadWrite)?;
        let mut raw = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        file.read_exact_at(&mut raw, 0)?;
        let mut entries: Vec<E> = Vec::with_capacity(raw.len() / E::BYTES);
        let mut damage = entry_count::<E>(raw.len() as u64).err();
        for (at, raw) in raw.chunks_exact(E::BYTES).enumerate() {
            let Some(entry) = E::read(raw) else {
                damage = Some(Damage::UnknownVersion { at });
                break;
            };
            if entries.last().is_some_and(|last| !entry.follows(last)) {
                damage = Some(Damage::NotIncreasing { at });
                break;
            }
            if !is_below(&entry) {
                damage = None;
                break;
            }
            if !in_range(&entry) {
                damage = Some(Damage::OutOfRange { at });
                break;
            }
            entries.push(entry);
        }
        Ok((Self::growing(disk, path, bytes_max, Some(file), entries), damage))
    }

    /// Ends the file with the last entry that was written.
    pub(super) fn end_file(&self) -> io::Result<()> {
        match &mut self.state_mut().entries {
            Entries::Growing { file: Some(file), written, unsynced, .. } => {
                let len = (*written * E::BYTES) as u64;
                if file.len()? > len {
                    *unsynced = true;
                    file.set_len(len)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn growing(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        bytes_max: u32,
        file: Option<Arc<dyn File>>,
        entries: Vec<E>,
    ) -> Self {
        let entries_max = bytes_max as usize / E::BYTES;
        let (written, unsynced) = (entries.len(), true);
        let entries = Entries::Growing { file, entries, written, unsynced };
        Self {
            disk,
            entries_max,
            state: RwLock::new(State { path, entries }),
            syncing: Mutex::new(()),
        }
    }

    /// Adds an entry, which the caller knows to follow the last.
    pub(super) fn push(&self, entry: E) -> io::Result<()> {
        let mut state = self.state_mut();
        let (entries, written) = state.grow(&*self.disk)?;
        entries.push(entry);
        if entries.len() - written >= UNWRITTEN_MAX { state.write_out(&*self.disk) } else { Ok(()) }
    }

    /// Keeps the first `count` entries.
    pub(super) fn truncate(&self, count: usize) -> io::Result<()> {
        let mut state = self.state_mut();
        if state.count() <= count {
            return Ok(());
        }
        state.grow(&*self.disk)?;
        if let Entries::Growing { file, entries, written, unsynced } = &mut state.entries {
            entries.truncate(count);
            if *written > count {
                *unsynced = true;
                if let Some(file) = file {
                    file.set_len((count * E::BYTES) as u64)?;
                }
                *written = count;
            }
        }
        Ok(())
    }

    /// Writes what is only in memory, then lets go of the memory.
    pub(super) fn seal(&self) -> io::Result<()> {
        let mut state = self.state_mut();
        state.write_out(&*self.disk)?;
        if let Entries::Growing { file, entries, .. } = &mut state.entries {
            let (count, last, dirty) = (entries.len(), entries.last().copied(), file.take());
            state.entries = Entries::Sealed { count, last, mapping: None, dirty };
        }
        Ok(())
    }

    /// Writes what is only in memory.
    pub(super) fn write(&self) -> io::Result<()> {
        self.state_mut().write_out(&*self.disk)
    }

    /// Writes what is only in memory and syncs the file, holding nobody up meanwhile. Returns
    /// whether there was a file to sync. One that failed is not to be called again.
    pub(super) fn sync(&self) -> io::Result<bool> {
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.sync_in_turn()
    }

    /// The same, but only if anything was added since the last time.
    pub(super) fn sync_news(&self) -> io::Result<bool> {
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let has_news = match &self.state.read().unwrap_or_else(PoisonError::into_inner).entries {
            Entries::Growing { entries, written, unsynced, .. } => {
                *unsynced || *written < entries.len()
            }
            Entries::Sealed { dirty, .. } => dirty.is_some(),
        };
        if has_news { self.sync_in_turn() } else { Ok(false) }
    }

    fn sync_in_turn(&self) -> io::Result<bool> {
        let mut state = self.state_mut();
        state.write_out(&*self.disk)?;
        let file = match &mut state.entries {
            Entries::Growing { file, unsynced, .. } => {
                *unsynced = false;
                file.clone()
            }
            Entries::Sealed { dirty, .. } => dirty.take(),
        };
        drop(state);
        file.map_or(Ok(false), |file| file.sync_data().map(|()| true))
    }

    /// Tells a table that its file was renamed.
    pub(super) fn moved_to(&self, path: PathBuf) {
        self.state_mut().path = path;
    }

    pub(super) fn path(&self) -> PathBuf {
        self.state.read().unwrap_or_else(PoisonError::into_inner).path.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).count()
    }

    pub(super) fn entries_max(&self) -> usize {
        self.entries_max
    }

    pub(super) fn last(&self) -> Option<E> {
        match &self.state.read().unwrap_or_else(PoisonError::into_inner).entries {
            Entries::Growing { entries, .. } => entries.last().copied(),
            Entries::Sealed { last, .. } => *last,
        }
    }

    /// Shows the entries to `look`. Fails only if a sealed file cannot be mapped.
    pub(super) fn with<R>(&self, look: impl FnOnce(Slots<'_, E>) -> R) -> io::Result<R> {
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(slots) = state.slots() {
                return Ok(look(slots));
            }
        }
        let mut state = self.state_mut();
        if let State { path, entries: Entries::Sealed { count, mapping, .. } } = &mut *state
            && mapping.is_none()
        {
            *mapping = Some(self.disk.open(path, Mode::Read)?.map(*count * E::BYTES)?);
        }
        Ok(look(state.slots().unwrap_or(Slots::Memory(&[]))))
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State<E>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Entry> State<E> {
    /// The entries in memory, loaded if the table was sealed, and how many of them are written.
    fn grow(&mut self, disk: &dyn Disk) -> io::Result<(&mut Vec<E>, usize)> {
        if let Entries::Sealed { count: 0, dirty: None, .. } = self.entries {
            // There may be no file yet.
            let (file, entries) = (None, Vec::new());
            self.entries = Entries::Growing { file, entries, written: 0, unsynced: true };
        }
        if let Entries::Sealed { .. } = self.entries {
            let file = disk.open(&self.path, Mode::ReadWrite)?;
            let entries = read_entries::<E>(&*file).map_err(|error| match error {
                OpenError::Io(error) => error,
                OpenError::Damaged(damage) => damage.into(),
                OpenError::Missing => ErrorKind::NotFound.into(),
            })?;
            let (file, written) = (Some(file), entries.len());
            self.entries = Entries::Growing { file, entries, written, unsynced: true };
        }
        match &mut self.entries {
            Entries::Growing { entries, written, .. } => Ok((entries, *written)),
            Entries::Sealed { .. } => Err(ErrorKind::Other.into()),
        }
    }

    fn write_out(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let Entries::Growing { file, entries, written, unsynced } = &mut self.entries else {
            return Ok(());
        };
        let Some(unwritten) = entries.get(*written..).filter(|entries| !entries.is_empty()) else {
            return Ok(());
        };
        let file = match file {
            Some(file) => file,
            None => file.insert(disk.open(&self.path, Mode::CreateOrOpen)?),
        };
        let mut raw = Vec::with_capacity(unwritten.len() * E::BYTES);
        for entry in unwritten {
            entry.write(&mut raw);
        }
        *unsynced = true;
        file.write_all_at(&mut [IoSlice::new(&raw)], (*written * E::BYTES) as u64)?;
        *written = entries.len();
        Ok(())
    }

    fn count(&self) -> usize {
        match &self.entries {
            Entries::Growing { entries, .. } => entries.len(),
            Entries::Sealed { count, .. } => *count,
        }
    }

    fn slots(&self) -> Option<Slots<'_, E>> {
        match &self.entries {
            Entries::Growing { entries, .. } => Some(Slots::Memory(entries)),
            Entries::Sealed { count: 0, .. } => Some(Slots::Memory(&[])),
            Entries::Sealed { mapping, .. } => mapping.as_deref().map(Slots::Mapped),
        }
    }
}

/// The entries, wherever they are.
pub(super) enum Slots<'a, E> {
    Memory(&'a [E]),
    Mapped(&'a [u8]),
}

impl<E: Entry> Slots<'_, E> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(entries) => entries.len(),
            Self::Mapped(raw) => raw.len() / E::BYTES,
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<E> {
        match self {
            Self::Memory(entries) => entries.get(at).copied(),
            Self::Mapped(raw) => {
                let start = at.checked_mul(E::BYTES)?;
                E::read(raw.get(start..start.checked_add(E::BYTES)?)?)
            }
        }
    }

    /// How many entries at the front satisfy `is_before`, which later ones do not.
    pub(super) fn partition_point(&self, is_before: impl Fn(&E) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(|entry| is_before(&entry)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Removes the file of a table, if it is there.
pub(super) fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn entry_count<E: Entry>(bytes: u64) -> Result<usize, Damage> {
    let damage = Damage::Length { bytes, entry_bytes: E::BYTES };
    let length = usize::try_from(bytes).map_err(|_| damage)?;
    if length.is_multiple_of(E::BYTES) { Ok(length / E::BYTES) } else { Err(damage) }
}

fn read_entry<E: Entry>(file: &dyn File, at: usize) -> Result<E, OpenError> {
    let mut raw = vec![0; E::BYTES];
    file.read_exact_at(&mut raw, (at * E::BYTES) as u64)?;
    E::read(&raw).ok_or(OpenError::Damaged(Damage::UnknownVersion { at }))
}

/// Every entry, each following the one before it.
fn read_entries<E: Entry>(file: &dyn File) -> Result<Vec<E>, OpenError> {
    let count = entry_count::<E>(file.len()?)?;
    let mut raw = vec![0; count * E::BYTES];
    file.read_exact_at(&mut raw, 0)?;
    let mut entries: Vec<E> = Vec::with_capacity(count);
    for (at, raw) in raw.chunks_exact(E::BYTES).enumerate() {
        let entry = E::read(raw).ok_or(Damage::UnknownVersion { at })?;
        if entries.last().is_some_and(|last| !entry.follows(last)) {
            return Err(Damage::NotIncreasing { at }.into());
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Entries that wait in memory for company, so that the file is written a page at a time.
const UNWRITTEN_MAX: usize = 512;
