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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkpoint::replace, fs::sim::SimDisk};

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        let entries = entries.iter().map(|&(epoch, start)| start_of(epoch, start)).collect();
        EpochCache { entries }
    }

    fn start_of(epoch: i32, start: i64) -> EpochStart {
        EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) }
    }

    #[test]
    fn an_assignment_drops_what_contradicts_it() {
        let before = [(2, 10), (4, 20), (6, 30)];
        for (epoch, start, after, news) in [
            (7, 40, &[(2, 10), (4, 20), (6, 30), (7, 40)][..], true),
            // The epoch goes on.
            (6, 35, &before, false),
            // It began earlier than was thought.
            (6, 25, &[(2, 10), (4, 20), (6, 25)], true),
            // The last leader wrote nothing.
            (8, 30, &[(2, 10), (4, 20), (8, 30)], true),
            (8, 15, &[(2, 10), (8, 15)], true),
            (3, 40, &[(2, 10), (3, 40)], true),
            (1, 5, &[(1, 5)], true),
            (-1, 40, &before, false),
        ] {
            let mut cache = cache(&before);
            assert_eq!(cache.assign(LeaderEpoch(epoch), Offset(start)), news);
            assert_eq!(cache, self::cache(after), "{epoch} from {start}");
        }
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let cache = cache(&[(2, 10), (4, 20), (6, 30)]);
        for (requested, expected) in [
            (-1, None),
            (0, Some((0, 10))),
            (2, Some((2, 20))),
            (3, Some((2, 20))),
            (5, Some((4, 30))),
            (6, Some((6, 99))),
            (7, None),
        ] {
            let expected = expected
                .map(|(epoch, end)| EpochEnd { epoch: LeaderEpoch(epoch), end: Offset(end) });
            assert_eq!(cache.end_offset_for(LeaderEpoch(requested), Offset(99)), expected);
        }
        assert_eq!(EpochCache::default().end_offset_for(LeaderEpoch(0), Offset(0)), None);
    }

    #[test]
    fn a_record_has_the_epoch_that_began_last() {
        let cache = cache(&[(2, 10), (4, 20)]);
        let of = |offset| cache.epoch_of(Offset(offset)).map(|epoch| epoch.0);
        assert_eq!(
            [of(9), of(10), of(19), of(20), of(99)],
            [None, Some(2), Some(2), Some(4), Some(4)]
        );
        assert_eq!(cache.earliest(), Some(start_of(2, 10)));
        assert_eq!(cache.latest(), Some(start_of(4, 20)));
    }

    #[test]
    fn truncation_keeps_the_epoch_that_the_log_begins_in() {
        let before = [(2, 10), (4, 20), (6, 30)];
        for (start, after, changed) in [
            (5, &before[..], false),
            (10, &before, false),
            (15, &[(2, 15), (4, 20), (6, 30)], true),
            (20, &[(4, 20), (6, 30)], true),
            (99, &[(6, 99)], true),
        ] {
            let mut cache = cache(&before);
            assert_eq!(cache.truncate_from_start(Offset(start)), changed);
            assert_eq!(cache, self::cache(after), "from {start}");
        }
        for (end, after, changed) in [
            (31, &before[..], false),
            (30, &before[..2], true),
            (11, &before[..1], true),
            (0, &[], true),
        ] {
            let mut cache = cache(&before);
            assert_eq!(cache.truncate_from_end(Offset(end)), changed);
            assert_eq!(cache, self::cache(after), "to {end}");
        }
    }

    #[test]
    fn the_checkpoint_holds_what_was_saved_and_says_when_it_does_not() {
        let disk = SimDisk::new();
        let root = Path::new("/");
        assert_eq!(EpochCache::load(&disk, root).unwrap(), Found::Absent);
        let cache = cache(&[(0, 0), (4, 20)]);
        cache.save(&disk, root).unwrap();
        assert_eq!(EpochCache::load(&disk, root).unwrap(), Found::Whole(cache));
        for text in ["0\n1\n0\n", "0\n2\n0 0\n0 5\n", "0\n2\n0 5\n1 5\n", "0\n1\n-1 0\n"] {
            replace(&disk, &root.join(FILE_NAME), text.as_bytes()).unwrap();
            let found = EpochCache::load(&disk, root).unwrap();
            assert!(matches!(found, Found::Damaged { .. }), "{text:?}");
        }
    }
}
