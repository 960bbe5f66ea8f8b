//! Where each leader's records begin (KIP-101), in memory and in `leader-epoch-checkpoint`.

use std::{io, path::Path};

use milena_protocol::{LeaderEpoch, Offset};

use crate::{
    checkpoint::{Found, read_lines, write_lines},
    fs::Disk,
};

/// The leader epochs that a log has records of, each with the offset of its first. Both columns
/// strictly increase. Knows nothing of files until it is told to [`EpochCache::save`]; what a
/// change returns says whether that is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<EpochStart>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: LeaderEpoch,
    pub start: Offset,
}

/// `end` is the offset after the last record of `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: LeaderEpoch,
    pub end: Offset,
}

impl EpochCache {
    /// Reads the checkpoint in a log's directory.
    pub fn load(disk: &dyn Disk, dir: &Path) -> io::Result<Found<Self>> {
        Ok(read_lines(disk, &dir.join(FILE_NAME), parse)?.and_then(|entries| {
            let increasing = entries.is_sorted_by(|a, b| a.epoch < b.epoch && a.start < b.start);
            if increasing { Ok(Self { entries }) } else { Err("epochs do not increase".to_owned()) }
        }))
    }

    /// Replaces the checkpoint in a log's directory, durably.
    pub fn save(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let lines = self.entries.iter().map(|entry| format!("{} {}", entry.epoch.0, entry.start.0));
        write_lines(disk, &dir.join(FILE_NAME), lines)
    }

    /// Notes that `epoch` has records from `start` on; true if that was news. Entries that it
    /// contradicts, by a greater epoch or a later start, are dropped. An unknown epoch is not noted.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        let news = match self.latest() {
            Some(latest) => epoch != latest.epoch || start < latest.start,
            None => true,
        };
        if !news || epoch <= LeaderEpoch::UNKNOWN {
            return false;
        }
        while self.latest().is_some_and(|entry| entry.epoch >= epoch || entry.start >= start) {
            self.entries.pop();
        }
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// Forgets what is at or above `end`, where the log now ends; true if there was anything.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.start < end);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// Forgets what is below `start`, where the log now begins; the epoch that `start` lies in
    /// begins there from now on. True if anything changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let after = self.entries.partition_point(|entry| entry.start <= start);
        let Some(containing) = after.checked_sub(1) else { return false };
        self.entries.drain(..containing);
        let Some(first) = self.entries.first_mut() else { return false };
        let changed = containing > 0 || first.start != start;
        first.start = start;
        changed
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    pub fn earliest(&self) -> Option<EpochStart> {
        self.entries.first().copied()
    }

    pub fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// The epoch of the record at `offset`, if the cache reaches back so far.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        after.checked_sub(1).and_then(|at| self.entries.get(at)).map(|entry| entry.epoch)
    }

    /// Where the records of `requested` end, for a reader that wants to know whether it has the
    /// same ones (OffsetForLeaderEpoch): the greatest epoch at or below it and the end of that.
    /// An epoch before all known ones ends where those begin; of one after them nothing is known.
    pub fn end_offset_for(&self, requested: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if requested <= LeaderEpoch::UNKNOWN {
            return None;
        }
        if self.latest()?.epoch == requested {
            return Some(EpochEnd { epoch: requested, end: log_end });
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= requested);
        let end = self.entries.get(above)?.start;
        let floor = above.checked_sub(1).and_then(|at| self.entries.get(at));
        Some(EpochEnd { epoch: floor.map_or(requested, |floor| floor.epoch), end })
    }
}

fn parse(words: &[&str]) -> Option<EpochStart> {
    let [epoch, start] = words else { return None };
    let epoch = epoch.parse().ok().filter(|&epoch: &i32| epoch >= 0)?;
    let start = start.parse().ok().filter(|&start: &i64| start >= 0)?;
    Some(EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) })
}

const FILE_NAME: &str = "leader-epoch-checkpoint";
