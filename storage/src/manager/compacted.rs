//! How far each log of a directory was compacted, and where records may be missing because of it.
//!
//! A pass that is interrupted has put some segments in their place and not come to its end. So
//! before a pass begins it is noted how far it may leave gaps, in the same file in entries of
//! topics that cannot be: without that, a start that finds the log no longer compacted would take
//! the gaps for records that were lost.

use std::{
    io,
    path::Path,
    sync::{Arc, MutexGuard, PoisonError},
};

use milena_protocol::Offset;

use super::{
    Manager, ManagerError, PartitionName,
    noted::{key, load_offsets},
};
use crate::{
    checkpoint::{self, GAPS_OF, Key, Offsets},
    fs::Disk,
    log::Log,
};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Compacted {
    to: Offsets,
    /// Below, records may be missing; noted where that is more than `to` says.
    gaps: Offsets,
}

impl Compacted {
    pub(crate) fn load(disk: &dyn Disk, root: &Path) -> io::Result<Self> {
        Ok(Self::of(load_offsets(disk, &root.join(CLEANED))?))
    }

    /// Of all that the file says.
    pub(crate) fn of(mut to: Offsets) -> Self {
        let gaps = checkpoint::take_entries(&mut to, GAPS_OF);
        Self { to, gaps }
    }

    pub(crate) fn gaps_below(&self, key: &Key) -> Offset {
        let of = |offsets: &Offsets| offsets.get(key).copied().unwrap_or_default();
        of(&self.to).max(of(&self.gaps))
    }

    /// A pass is about to leave gaps below `until`.
    fn begin(&mut self, key: Key, until: Offset) {
        if self.gaps_below(&key) < until {
            self.gaps.insert(key, until);
        }
    }

    /// A pass has come to `to`.
    fn end(&mut self, key: Key, to: Offset) {
        if self.gaps.get(&key).is_some_and(|gaps| *gaps <= to) {
            self.gaps.remove(&key);
        }
        self.to.insert(key, to);
    }

    /// The log ends at `end` now.
    fn cut(&mut self, key: &Key, end: Offset) {
        for offsets in [&mut self.to, &mut self.gaps] {
            if let Some(offset) = offsets.get_mut(key) {
                *offset = end.min(*offset);
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        self.to.remove(key);
        self.gaps.remove(key);
    }

    fn write(&self, disk: &dyn Disk, root: &Path) -> io::Result<()> {
        let mut all = self.to.clone();
        checkpoint::add_entries(&mut all, GAPS_OF, &self.gaps);
        checkpoint::write_offsets(disk, &root.join(CLEANED), &all)
    }
}

impl Manager {
    /// Where compaction of this log has come to, if it has begun.
    pub fn cleaned_to(&self, name: &PartitionName) -> Option<Offset> {
        self.compacted().to.get(&key(name)).copied()
    }

    /// Notes, durably, that a pass over `log` may leave gaps below `until`: to be called before it.
    /// Nothing if the partition has another log now, or none.
    ///
    /// # Errors
    /// What the disk reports; the pass must not be made then.
    pub fn note_compacting(
        &self,
        name: &PartitionName,
        log: &Arc<Log>,
        until: Offset,
    ) -> Result<(), ManagerError> {
        self.note_compacted(name, log, |next| next.begin(key(name), until))
    }

    /// Notes, durably, that compaction of `log` has come to `to`; nothing if the partition has
    /// another log now, or none.
    ///
    /// # Errors
    /// What the disk reports; a start then has it compacted again.
    pub fn note_cleaned(
        &self,
        name: &PartitionName,
        log: &Arc<Log>,
        to: Offset,
    ) -> Result<(), ManagerError> {
        self.note_compacted(name, log, |next| next.end(key(name), to))
    }

    fn note_compacted(
        &self,
        name: &PartitionName,
        log: &Arc<Log>,
        change: impl FnOnce(&mut Compacted),
    ) -> Result<(), ManagerError> {
        let mut compacted = self.compacted();
        if !self.get(name).is_some_and(|open| Arc::ptr_eq(&open, log)) {
            return Ok(());
        }
        let mut next = compacted.clone();
        next.to.retain(|key, _| self.has_directory(key));
        next.gaps.retain(|key, _| self.has_directory(key));
        change(&mut next);
        Ok(self.replace_compacted(&mut compacted, next)?)
    }

    /// Of a log that is about to have its name: a copy of one that is compacted `to`, with gaps
    /// below `gaps`.
    pub(super) fn note_copied_compacted(
        &self,
        name: &PartitionName,
        to: Option<Offset>,
        gaps: Offset,
    ) -> io::Result<()> {
        self.change_compacted(|next| {
            next.forget(&key(name));
            if let Some(to) = to {
                next.end(key(name), to);
            }
            next.begin(key(name), gaps);
        })
    }

    pub(super) fn note_cut_compacted(&self, name: &PartitionName, end: Offset) -> io::Result<()> {
        self.change_compacted(|next| next.cut(&key(name), end))
    }

    pub(super) fn forget_compacted(&self, keys: &[Key]) -> io::Result<()> {
        self.change_compacted(|next| keys.iter().for_each(|key| next.forget(key)))
    }

    fn change_compacted(&self, change: impl FnOnce(&mut Compacted)) -> io::Result<()> {
        let mut compacted = self.compacted();
        let mut next = compacted.clone();
        change(&mut next);
        self.replace_compacted(&mut compacted, next)
    }

    fn replace_compacted(&self, compacted: &mut Compacted, next: Compacted) -> io::Result<()> {
        if *compacted != next {
            next.write(&*self.disk, &self.root)?;
            *compacted = next;
        }
        Ok(())
    }

    pub(super) fn compacted(&self) -> MutexGuard<'_, Compacted> {
        self.compacted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) const CLEANED: &str = "cleaner-offset-checkpoint";
