//! What is written down about the logs of a directory, so that a start need not find it out.
//!
//! Where a log begins that begins within a segment follows from nothing else. So the file of the
//! recovery points says it once more, in entries of topics that cannot be: should the file of the
//! starts be damaged or lost, those count. Whoever knows nothing of them, as Kafka, leaves them out when it
//! writes the file, so that they are never older than what it has done.

use std::{
    io,
    path::Path,
    sync::{Arc, MutexGuard, PoisonError},
};

use milena_protocol::{Offset, Timestamp};
use tracing::warn;

use super::{Manager, ManagerError, PartitionName};
use crate::{
    checkpoint::{self, Found, Key, Offsets, START_OF},
    fs::Disk,
    log::{Log, OpenLog, TrimError},
};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Noted {
    pub(super) recovery_points: Offsets,
    pub(super) log_starts: Offsets,
}

/// A log, and how far it is durable if its epochs could be saved.
type Gathered = (PartitionName, Arc<Log>, Option<Offset>);

impl Noted {
    pub(super) fn load(disk: &dyn Disk, root: &Path) -> io::Result<Self> {
        let mut recovery_points = load_offsets(disk, &root.join(RECOVERY_POINTS))?;
        let copies = take_starts(&mut recovery_points);
        let path = root.join(LOG_STARTS);
        let log_starts = match checkpoint::read_offsets(disk, &path)? {
            Found::Whole(starts) => starts,
            Found::Absent if copies.is_empty() => Offsets::new(),
            other => {
                warn!(path = %path.display(), found = ?other, logs = copies.len(),
                    "where logs begin is taken from the copy");
                return Ok(Self { recovery_points, log_starts: copies });
            }
        };
        // A crash came between the two files, or somebody wrote them who knows of no copy.
        if starts_in(&log_starts).ne(starts_in(&copies))
            && let Err(error) = write_points(disk, root, &recovery_points, &log_starts)
        {
            warn!(root = %root.display(), %error, "where logs begin is not copied");
        }
        Ok(Self { recovery_points, log_starts })
    }
}

/// Replaces the file of the recovery points.
pub(crate) fn write_points(
    disk: &dyn Disk,
    root: &Path,
    points: &Offsets,
    starts: &Offsets,
) -> io::Result<()> {
    let mut all = points.clone();
    let starts = starts_in(starts).map(|(key, start)| (key.clone(), *start)).collect();
    checkpoint::add_entries(&mut all, START_OF, &starts);
    checkpoint::write_offsets(disk, &root.join(RECOVERY_POINTS), &all)
}

/// Takes what is said of the starts out of what is in the file of the recovery points.
pub(crate) fn take_starts(points: &mut Offsets) -> Offsets {
    checkpoint::take_entries(points, START_OF)
}

/// Those that say something.
fn starts_in(starts: &Offsets) -> impl Iterator<Item = (&Key, &Offset)> {
    starts.iter().filter(|(_, start)| **start > Offset::ZERO)
}

impl Manager {
    /// [`Log::truncate_to`], after noting that less is certain from now on.
    ///
    /// # Errors
    /// As there.
    pub fn truncate_to(
        &self,
        name: &PartitionName,
        offset: Offset,
        now: Timestamp,
    ) -> Result<(), TrimError> {
        let log = self.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let _turn = self.noting();
        let mut noted = self.noted();
        let key = key(name);
        let certain = if log.may_end_before_start(offset) {
            // A crash may leave no segment at all then.
            noted.log_starts.get(&key).copied().unwrap_or_default()
        } else {
            offset
        };
        if noted.recovery_points.get(&key).is_some_and(|point| *point > certain) {
            let mut lowered = noted.recovery_points.clone();
            lowered.insert(key.clone(), certain);
            write_points(&*self.disk, &self.root, &lowered, &noted.log_starts)?;
            noted.recovery_points = lowered;
        }
        drop(noted);
        self.note_cut_compacted(name, offset)?;
        log.truncate_to(offset, now)
    }

    /// What was noted of this log's recovery point: an unclean start believes all below. Nothing
    /// above may be compacted, as a start takes the gaps that leaves for what a crash left.
    pub fn recovery_point(&self, name: &PartitionName) -> Offset {
        self.noted().recovery_points.get(&key(name)).copied().unwrap_or_default()
    }

    /// Notes how far each log is durable and where it begins: so often, and before delete-records
    /// is answered. Who looks for a log does not wait for this; who makes or deletes one waits for
    /// one file at most.
    ///
    /// # Errors
    /// What the disk reports; what was noted before stays right.
    pub fn checkpoint(&self) -> Result<(), ManagerError> {
        let _turn = self.noting();
        let gathered = self.gather(|| self.turn());
        let _settled = self.turn();
        Ok(self.note(&gathered)?)
    }

    /// The recovery points of all logs, each after its epochs were saved under a lock of `turn`:
    /// the directory must not be another log's by then.
    pub(super) fn gather<T>(&self, turn: impl Fn() -> T) -> Vec<Gathered> {
        let logs: Vec<(PartitionName, Arc<Log>)> = {
            let open = self.open_logs();
            open.iter().map(|(name, open)| (name.clone(), Arc::clone(&open.log))).collect()
        };
        let mut gathered = Vec::with_capacity(logs.len());
        for (name, log) in logs {
            let _turn = turn();
            if log.offline().is_some() {
                continue;
            }
            let point = log.recovery_point().inspect_err(|error| {
                warn!(%name, %error, "recovery point not advanced");
            });
            gathered.push((name, log, point.ok()));
        }
        gathered
    }

    /// Writes down what was gathered of logs that are still the partitions'.
    pub(super) fn note(&self, gathered: &[Gathered]) -> io::Result<()> {
        let mut noted = self.noted();
        let mut next = Noted::default();
        // Of logs that are not open, what is known stays.
        for (from, to) in [
            (&noted.recovery_points, &mut next.recovery_points),
            (&noted.log_starts, &mut next.log_starts),
        ] {
            let kept = from.iter().filter(|(key, _)| self.has_directory(key));
            to.extend(kept.map(|(key, offset)| (key.clone(), *offset)));
        }
        for (name, log, point) in gathered {
            if !self.get(name).is_some_and(|open| Arc::ptr_eq(&open, log)) {
                continue;
            }
            if let Some(point) = point {
                next.recovery_points.insert(key(name), *point);
            }
            next.log_starts.insert(key(name), log.start_offset());
        }
        self.write_noted(&mut noted, next)
    }

    /// What is known of a log before it is opened.
    pub(super) fn known_of(&self, name: &PartitionName, now: Timestamp) -> OpenLog {
        let key = key(name);
        let (point, log_start) = {
            let noted = self.noted();
            let point = noted.recovery_points.get(&key).copied();
            (point, noted.log_starts.get(&key).copied().unwrap_or_default())
        };
        OpenLog {
            recovery_point: point.unwrap_or_default(),
            log_start,
            gaps_below: self.compacted().gaps_below(&key),
            // A log that the last run did not note is one that it did not close.
            clean_stop: self.clean_stop && point.is_some(),
            settled: false,
            now,
        }
    }

    /// Notes of a log that is about to have its name how far it is durable, where it begins, and
    /// how far it is compacted.
    pub(super) fn note_copied(
        &self,
        name: &PartitionName,
        end: Offset,
        start: Offset,
        cleaned_to: Option<Offset>,
        gaps_below: Offset,
    ) -> Result<(), ManagerError> {
        self.note_copied_compacted(name, cleaned_to, gaps_below)?;
        let mut noted = self.noted();
        let mut next = Noted {
            recovery_points: noted.recovery_points.clone(),
            log_starts: noted.log_starts.clone(),
        };
        next.recovery_points.insert(key(name), end);
        next.log_starts.insert(key(name), start);
        Ok(self.write_noted(&mut noted, next)?)
    }

    /// New logs must not inherit what was noted of older ones by the same names.
    pub(super) fn forget_all(&self, names: &[&PartitionName]) -> io::Result<()> {
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        self.forget_compacted(&keys)?;
        let mut noted = self.noted();
        let is_noted =
            |key| noted.recovery_points.contains_key(key) || noted.log_starts.contains_key(key);
        if !keys.iter().any(is_noted) {
            return Ok(());
        }
        let mut next = Noted {
            recovery_points: noted.recovery_points.clone(),
            log_starts: noted.log_starts.clone(),
        };
        for key in &keys {
            next.recovery_points.remove(key);
            next.log_starts.remove(key);
        }
        self.write_noted(&mut noted, next)
    }

    fn write_noted(&self, noted: &mut Noted, next: Noted) -> io::Result<()> {
        // A broker that nobody writes to leaves the disk alone.
        if *noted == next {
            return Ok(());
        }
        let disk = &*self.disk;
        // The starts first: a log that begins later than noted is looked at in vain, no more.
        checkpoint::write_offsets(disk, &self.root.join(LOG_STARTS), &next.log_starts)?;
        write_points(disk, &self.root, &next.recovery_points, &next.log_starts)?;
        *noted = next;
        Ok(())
    }

    /// Only of what is not open the disk has to be asked.
    pub(super) fn has_directory(&self, (topic, partition): &Key) -> bool {
        PartitionName::new(topic, *partition)
            .is_some_and(|name| self.get(&name).is_some() || self.disk.exists(&self.dir(&name)))
    }

    pub(super) fn noting(&self) -> MutexGuard<'_, ()> {
        self.noting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A checkpoint that cannot be read costs time, as everything is then read again, but no data.
pub(super) fn load_offsets(disk: &dyn Disk, path: &Path) -> io::Result<Offsets> {
    Ok(match checkpoint::read_offsets(disk, path)? {
        Found::Whole(offsets) => offsets,
        Found::Absent => Offsets::new(),
        Found::Damaged { reason } => {
            warn!(path = %path.display(), reason, "checkpoint ignored");
            Offsets::new()
        }
    })
}

pub(super) fn key(name: &PartitionName) -> Key {
    (name.topic().to_owned(), name.partition())
}

pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";
