//! One file's bytes: what is seen, and what is on the medium.

use std::{collections::BTreeSet, ops::Range};

use super::chance::Chance;

#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that differ, or may differ, between the two.
    dirty: BTreeSet<usize>,
    /// Reserved, beyond the length too.
    allocated: u64,
}

impl Contents {
    pub(super) fn len(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Bytes of the medium that the file takes.
    pub(super) fn used(&self) -> u64 {
        self.len().max(self.allocated)
    }

    pub(super) fn is_synced(&self) -> bool {
        self.seen == self.durable
    }

    pub(super) fn read(&self, buf: &mut [u8], position: u64) -> usize {
        let there = usize::try_from(position).ok().and_then(|start| self.seen.get(start..));
        let there = there.unwrap_or_default();
        let count = there.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(there) {
            *to = *from;
        }
        count
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: usize) {
        let end = position + bytes.len();
        self.touch(position.min(self.seen.len())..end);
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        if let Some(target) = self.seen.get_mut(position..end) {
            target.copy_from_slice(bytes);
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.touch(len.min(self.seen.len())..len.max(self.seen.len()));
        self.seen.resize(len, 0);
        self.allocated = self.allocated.min(len as u64);
    }

    pub(super) fn allocate(&mut self, len: u64) {
        self.allocated = self.allocated.max(len);
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            self.write_back(page, PAGE_BYTES);
        }
    }

    /// A failed fsync: the pages count as clean from now on, but were not written.
    pub(super) fn lose_dirty(&mut self) {
        self.dirty.clear();
    }

    /// Shows what is on the medium in place of the clean pages from `from` on.
    pub(super) fn forget_clean(&mut self, from: u64) {
        let first = usize::try_from(from).unwrap_or(usize::MAX) / PAGE_BYTES;
        for page in
            (first..self.seen.len().div_ceil(PAGE_BYTES)).filter(|page| !self.dirty.contains(page))
        {
            let bytes = page * PAGE_BYTES..self.seen.len().min((page + 1) * PAGE_BYTES);
            for at in bytes {
                let medium = self.durable.get(at).copied().unwrap_or_default();
                if let Some(seen) = self.seen.get_mut(at) {
                    *seen = medium;
                }
            }
        }
    }

    /// Leaves what is on the medium, after some of the dirty pages got there.
    pub(super) fn crash(&mut self, chance: &mut Chance) {
        let (synced, seen) = (self.durable.len(), self.seen.len());
        let shorter = synced.min(seen);
        let len = match chance.up_to(3) {
            0 => synced,
            1 => seen,
            _ => shorter + pick(chance, synced.max(seen) - shorter),
        };
        self.durable.resize(len, 0);
        for page in std::mem::take(&mut self.dirty) {
            match chance.up_to(4) {
                0 | 1 => {}
                2 | 3 => self.write_back(page, PAGE_BYTES),
                _ => self.write_back(page, pick(chance, SECTORS) * SECTOR_BYTES),
            }
        }
        self.seen.clone_from(&self.durable);
        self.allocated = 0;
    }

    /// Puts the first `bytes` of a page on the medium, as far as the file reaches there.
    fn write_back(&mut self, page: usize, bytes: usize) {
        let start = page * PAGE_BYTES;
        let end = (start + bytes).min(self.seen.len()).min(self.durable.len());
        if let (Some(from), Some(to)) =
            (self.seen.get(start..end), self.durable.get_mut(start..end))
        {
            to.copy_from_slice(from);
        }
    }

    fn touch(&mut self, bytes: Range<usize>) {
        if !bytes.is_empty() {
            self.dirty.extend(bytes.start / PAGE_BYTES..=(bytes.end - 1) / PAGE_BYTES);
        }
    }
}

fn pick(chance: &mut Chance, max: usize) -> usize {
    usize::try_from(chance.up_to(max as u64)).unwrap_or(max)
}

const PAGE_BYTES: usize = SECTORS * SECTOR_BYTES;
const SECTORS: usize = 8;
/// What a medium writes whole or not at all.
const SECTOR_BYTES: usize = 512;
