//! Puts a directory right while no broker runs on it: what follows from the batches is made anew
//! (indexes, epochs, snapshots of producers, checkpoints), what a crash left is removed. Records
//! are given up only if that was accepted, and no more of them than are damaged: behind a batch
//! that is not whole its file ends, and the files behind it stay.

use std::{collections::BTreeMap, fmt, io, path::Path, sync::Arc};

use milena_protocol::{Offset, Timestamp};

use crate::{
    checkpoint::{self, Found, GAPS_OF, Key, Offsets},
    fs::{Disk, Mode},
    log::{Log, LogConfig, OpenLog},
    manager::{
        CLEANED, LOCK_FILE, LOG_STARTS, PartitionName, RECOVERY_POINTS, take_starts, write_points,
    },
    recovery::Recovered,
    segment::name::{self, Kind},
    verify::{Depth, Fault, Finding, verify},
};

/// What is done about what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records that cannot be read, or are not there, may be given up.
    pub truncation: bool,
}

/// One thing that was done, or that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The log's directory, or the file of the whole directory.
    pub log: String,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Everything that follows from the batches was made anew.
    Rebuilt(Recovered),
    /// A file ends before these bytes now; or would, if that were accepted.
    Cut { file: String, position: u64, bytes: u64, done: bool },
    /// That these offsets are gone is noted now; or would be, if that were accepted.
    GivenUp { from: Offset, to: Offset, done: bool },
    /// Nothing but a person can tell what is right.
    Left(Fault),
    /// A directory of a partition that was deleted, or of a copy that was not finished.
    Removed,
    /// A checkpoint of the whole directory that could not be read. What it said is forgotten.
    Forgotten { reason: String },
    /// The same of the one that a copy was found of.
    Copied { reason: String },
}

impl What {
    /// Whether something is still as it should not be.
    #[must_use]
    pub fn is_left(&self) -> bool {
        match self {
            Self::Rebuilt(_) | Self::Removed | Self::Forgotten { .. } | Self::Copied { .. } => {
                false
            }
            Self::Cut { done, .. } | Self::GivenUp { done, .. } => !done,
            Self::Left(_) => true,
        }
    }
}

#[derive(Debug)]
pub enum RepairError {
    /// A broker runs on the directory, or another repair.
    InUse,
    Io(io::Error),
    /// A log that nothing was found in cannot be opened.
    Open {
        log: String,
        reason: String,
    },
}

/// Repairs a data directory; tells `report` of each step as it is made.
///
/// # Errors
/// What was done until then is done; to repair again is safe.
pub fn repair(
    disk: &Arc<dyn Disk>,
    root: &Path,
    accepted: Accepted,
    now: Timestamp,
    report: &mut dyn FnMut(Step),
) -> Result<(), RepairError> {
    let _lock = disk.lock(&root.join(LOCK_FILE)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => RepairError::InUse,
        _ => RepairError::Io(error),
    })?;
    let mut found: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    verify(disk, root, Depth::Batches, &mut |finding| {
        found.entry(finding.log.clone()).or_default().push(finding);
    })?;
    let mut repairer = Repairer { disk, root, accepted, now, report };
    let mut noted = repairer.checkpoints()?;
    for entry in disk.read_dir(root)?.into_iter().filter(|entry| entry.is_dir) {
        match PartitionName::of_directory(&entry.name) {
            Some(partition) => {
                let findings = found.remove(&entry.name).unwrap_or_default();
                if !findings.is_empty() || repairer.has_leftovers(&entry.name)? {
                    repairer.log(&entry.name, &partition, &findings, &mut noted)?;
                }
            }
            None if PartitionName::is_no_partitions(&entry.name) => {
                disk.remove_dir_all(&root.join(&entry.name))?;
                disk.sync_dir(root)?;
                repairer.tell(&entry.name, What::Removed);
            }
            None => {}
        }
    }
    Ok(())
}

/// The checkpoints of a directory, each with its name.
type Noted = BTreeMap<&'static str, Offsets>;

struct Repairer<'a> {
    disk: &'a Arc<dyn Disk>,
    root: &'a Path,
    accepted: Accepted,
    now: Timestamp,
    report: &'a mut dyn FnMut(Step),
}

impl Repairer<'_> {
    fn checkpoints(&mut self) -> io::Result<Noted> {
        let (mut noted, mut unreadable) = (Noted::new(), Vec::new());
        for file in [RECOVERY_POINTS, LOG_STARTS, CLEANED] {
            let found = checkpoint::read_offsets(&**self.disk, &self.root.join(file))?;
            if let Found::Damaged { reason } = &found {
                unreadable.push((file, reason.clone()));
            }
            if let Found::Whole(offsets) = found {
                noted.insert(file, offsets);
            }
        }
        let copies = noted.get_mut(RECOVERY_POINTS).map(take_starts).unwrap_or_default();
        let copied = !noted.contains_key(LOG_STARTS) && !copies.is_empty();
        noted.entry(LOG_STARTS).or_insert(copies);
        for (file, reason) in unreadable {
            self.write(file, &noted)?;
            let made = copied && file == LOG_STARTS;
            self.tell(
                file,
                if made { What::Copied { reason } } else { What::Forgotten { reason } },
            );
        }
        Ok(noted)
    }

    /// Replaces a checkpoint. That of the recovery points tells where logs begin, too.
    fn write(&self, file: &'static str, noted: &Noted) -> io::Result<()> {
        let none = Offsets::new();
        let of = |file| noted.get(file).unwrap_or(&none);
        if file != RECOVERY_POINTS {
            checkpoint::write_offsets(&**self.disk, &self.root.join(file), of(file))?;
        }
        if file == CLEANED {
            return Ok(());
        }
        write_points(&**self.disk, self.root, of(RECOVERY_POINTS), of(LOG_STARTS))
    }

    fn has_leftovers(&self, log: &str) -> io::Result<bool> {
        let entries = self.disk.read_dir(&self.root.join(log))?;
        Ok(entries.iter().any(|entry| name::is_leftover(&entry.name)))
    }

    fn log(
        &mut self,
        log: &str,
        partition: &PartitionName,
        findings: &[Finding],
        noted: &mut Noted,
    ) -> Result<(), RepairError> {
        let key = (partition.topic().to_owned(), partition.partition());
        let (mut may_open, mut epochs_are_wrong) = (true, false);
        for finding in findings {
            let what = match &finding.fault {
                Fault::Batch { expected, .. } => {
                    if let Some(next) = self.base_behind(log, &finding.file)? {
                        let what = self.give_up(&key, *expected, next, noted)?;
                        self.tell(log, what);
                    }
                    self.cut(log, finding)?
                }
                Fault::Missing { from, to } => self.give_up(&key, *from, *to, noted)?,
                Fault::EpochNotNoted { .. } | Fault::Checkpoint { .. } => {
                    epochs_are_wrong = true;
                    continue;
                }
                // An earlier one and the batches behind it say the same.
                Fault::Producer { .. } | Fault::Snapshot { .. } => {
                    self.remove(log, &finding.file)?;
                    continue;
                }
                fault if fault.heals() => continue,
                fault => What::Left(fault.clone()),
            };
            may_open &= !what.is_left();
            self.tell(log, what);
        }
        // What is damaged stays as it is, for whoever looks at it next.
        if !may_open {
            return Ok(());
        }
        if epochs_are_wrong {
            self.remove(log, EPOCHS_FILE)?;
        }
        let rebuilt = self.rebuild(log, &key, noted)?;
        self.tell(log, What::Rebuilt(rebuilt));
        Ok(())
    }

    fn cut(&self, log: &str, finding: &Finding) -> io::Result<What> {
        let position = finding.position.unwrap_or_default();
        let mode = if self.accepted.truncation { Mode::ReadWrite } else { Mode::Read };
        let file = self.disk.open(&self.root.join(log).join(&finding.file), mode)?;
        let bytes = file.len()?.saturating_sub(position);
        if self.accepted.truncation {
            file.set_len(position)?;
            file.sync_data()?;
        }
        let (file, done) = (finding.file.clone(), self.accepted.truncation);
        Ok(What::Cut { file, position, bytes, done })
    }

    /// A gap is noted as one that compaction left. At the end of the log there is nothing behind
    /// it: the recovery point is lowered when the log is rebuilt.
    fn give_up(&self, key: &Key, from: Offset, to: Offset, noted: &mut Noted) -> io::Result<What> {
        if self.accepted.truncation {
            let compacted = noted.entry(CLEANED).or_default();
            let up_to = compacted.entry(checkpoint::entry_of(GAPS_OF, key)).or_default();
            *up_to = to.max(*up_to);
            self.write(CLEANED, noted)?;
        }
        Ok(What::GivenUp { from, to, done: self.accepted.truncation })
    }

    /// Opens the log as if nothing were known of it but its batches, which all are whole.
    fn rebuild(&self, log: &str, key: &Key, noted: &mut Noted) -> Result<Recovered, RepairError> {
        let dir = self.root.join(log);
        let mut has_segments = false;
        for entry in self.disk.read_dir(&dir)? {
            let kind = name::parse(&entry.name).map(|(_, kind)| kind);
            has_segments |= kind == Some(Kind::Log);
            let follows = matches!(kind, Some(kind) if kind != Kind::Log && kind != Kind::Snapshot);
            if follows {
                self.disk.remove_file(&dir.join(&entry.name))?;
            }
        }
        let of = |file| noted.get(file).and_then(|offsets| offsets.get(key)).copied();
        // Where nothing is left, no offset is given to another record.
        let start = if has_segments { of(LOG_STARTS) } else { of(RECOVERY_POINTS) };
        let open = OpenLog {
            recovery_point: Offset::ZERO,
            log_start: start.unwrap_or_default(),
            // A gap that was found was asked about.
            gaps_below: Offset(i64::MAX),
            clean_stop: false,
            settled: false,
            now: self.now,
        };
        let config = LogConfig { producer_expiration_ms: i64::MAX, ..LogConfig::default() };
        let failed = |reason: String| RepairError::Open { log: log.to_owned(), reason };
        let (opened, recovered) = Log::open(Arc::clone(self.disk), &dir, Arc::new(config), open)
            .map_err(|error| failed(error.to_string()))?;
        let begins = opened.start_offset();
        let end = opened.close().map_err(|error| failed(error.to_string()))?;
        let gaps = &checkpoint::entry_of(GAPS_OF, key);
        for (file, key) in
            [(LOG_STARTS, key), (RECOVERY_POINTS, key), (CLEANED, key), (CLEANED, gaps)]
        {
            let offsets = noted.entry(file).or_default();
            let point = offsets.get(key).copied();
            // Nobody has compacted more than there is, and a start may believe all that is left.
            let right = match file {
                CLEANED => point.map(|point| point.min(end)),
                LOG_STARTS => Some(begins),
                _ => Some(end),
            };
            if let Some(right) = right.filter(|right| Some(*right) != point) {
                offsets.insert(key.clone(), right);
                self.write(file, noted)?;
            }
        }
        Ok(recovered)
    }

    /// Where the segment behind this one begins.
    fn base_behind(&self, log: &str, file: &str) -> io::Result<Option<Offset>> {
        let entries = self.disk.read_dir(&self.root.join(log))?;
        let segments = entries.iter().filter_map(|entry| name::parse(&entry.name));
        let bases = segments.filter(|(_, kind)| *kind == Kind::Log).map(|(base, _)| base);
        let this = name::parse(file).map(|(base, _)| base);
        Ok(bases.filter(|base| Some(*base) > this).min())
    }

    fn remove(&self, log: &str, file: &str) -> io::Result<()> {
        match self.disk.remove_file(&self.root.join(log).join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn tell(&mut self, log: &str, what: What) {
        (self.report)(Step { log: log.to_owned(), what });
    }
}

impl From<io::Error> for RepairError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("the directory is in use: stop the broker first"),
            Self::Io(error) => error.fmt(f),
            Self::Open { log, reason } => write!(f, "{log} cannot be opened: {reason}"),
        }
    }
}

impl std::error::Error for RepairError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.log, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let would = |done: &bool| if *done { "" } else { "would be " };
        match self {
            Self::Rebuilt(recovered) => write!(
                f,
                "rebuilt the indexes of {} segments, epochs and producers",
                recovered.segments
            ),
            Self::Cut { file, position, bytes, done } => {
                write!(f, "{bytes} bytes of {file} from {position} on {}cut", would(done))
            }
            Self::GivenUp { from, to, done } => {
                write!(f, "offsets {} to {} {}given up", from.0, to.0 - 1, would(done))
            }
            Self::Left(fault) => write!(f, "left as it is: {fault}"),
            Self::Removed => f.write_str("removed"),
            Self::Copied { reason } => {
                write!(f, "made from its copy, as it could not be read: {reason}")
            }
            Self::Forgotten { reason } => write!(f, "forgotten, as it could not be read: {reason}"),
        }
    }
}

const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

#[cfg(test)]
mod tests;
