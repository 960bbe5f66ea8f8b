//! Reads a directory whole and names everything in it that is not as it should be. Changes
//! nothing, takes no lock: of a log that is being written, the last batch may look torn.

mod aborted;

use std::{collections::BTreeMap, fmt, io, path::Path, sync::Arc};

use milena_protocol::{
    LeaderEpoch, Offset, ProducerId, Timestamp,
    compression::InflateLimit,
    records::{Batch, BatchHeader},
};

use crate::{
    checkpoint::{self, Found, Offsets},
    epochs::EpochCache,
    fs::{Disk, Mode},
    index::{
        AbortedTransaction, Extent, OffsetEntry, OffsetIndex, OpenError, TimeEntry, TimeIndex,
    },
    manager::{CLEANED, Compacted, LOG_STARTS, PartitionName, RECOVERY_POINTS, take_starts},
    producers::snapshot::{self, SnapshotEntry},
    segment::{ScanError, WholeScan, name, name::Kind},
};
use aborted::{Listed, OpenTransactions};

/// Something that is not as it should be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The log's directory, without the path to it.
    pub log: String,
    pub file: String,
    /// In the file, where that says more.
    pub position: Option<u64>,
    pub fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No whole batch starts here; what follows in the file was not looked at.
    Batch { expected: Offset, reason: String },
    /// The records in a whole batch do not decode.
    Records { base: Offset, reason: String },
    /// A batch whose offsets are those of earlier ones.
    Overlap { expected: Offset, found: Offset },
    /// A batch of an older leader than the one before it.
    EpochWentBack { base: Offset, epoch: LeaderEpoch, before: LeaderEpoch },
    /// The epoch is not in the checkpoint, or begins elsewhere.
    EpochNotNoted { epoch: LeaderEpoch, start: Offset },
    /// An index that cannot be used. It is rebuilt when the log is next opened.
    Index { reason: String },
    /// An entry that does not name the batch it leads to. Readers notice and search instead.
    OffsetEntry(OffsetEntry),
    /// An entry whose batch has another greatest timestamp.
    TimeEntry(TimeEntry),
    /// An entry of the aborted transactions without such an abort marker in its segment. Readers
    /// of committed records may leave out too much.
    Aborted(AbortedTransaction),
    /// An aborted transaction that is not listed, in a segment whose list is believed. Readers of
    /// committed records see it.
    Unlisted { producer: ProducerId, first: Offset, last: Offset },
    /// A checkpoint that cannot be read.
    Checkpoint { reason: String },
    /// No segment holds these offsets, though they were synced, and no compaction took them.
    Missing { from: Offset, to: Offset },
    /// A snapshot of the producers that cannot be read. An earlier one does instead.
    Snapshot { reason: String },
    /// A snapshot has another last batch of the producer than the log.
    Producer { producer: ProducerId, noted: Offset, found: Offset },
}

impl Fault {
    /// Whether opening the log puts it right without losing anything.
    #[must_use]
    pub fn heals(&self) -> bool {
        match self {
            Self::EpochNotNoted { .. }
            | Self::Index { .. }
            | Self::OffsetEntry(_)
            | Self::TimeEntry(_)
            | Self::Checkpoint { .. }
            | Self::Snapshot { .. } => true,
            Self::Batch { .. }
            | Self::Records { .. }
            | Self::Overlap { .. }
            | Self::EpochWentBack { .. }
            | Self::Missing { .. }
            | Self::Aborted(_)
            | Self::Unlisted { .. }
            | Self::Producer { .. } => false,
        }
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub logs: usize,
    pub segments: usize,
    pub batches: u64,
    /// Counted in headers, or one by one if records were read.
    pub records: u64,
    pub bytes: u64,
    pub findings: usize,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Checksums, headers and indexes.
    #[default]
    Batches,
    /// Every record as well, which means to inflate them.
    Records,
}

/// Verifies every log of a data directory, or the one that `root` is the directory of, and tells
/// `report` of each finding as it is made.
///
/// # Errors
/// Only if something cannot be read at all.
pub fn verify(
    disk: &Arc<dyn Disk>,
    root: &Path,
    depth: Depth,
    report: &mut dyn FnMut(Finding),
) -> io::Result<Summary> {
    let entries = disk.read_dir(root)?;
    let is_log = |name: &str| matches!(name::parse(name), Some((_, Kind::Log)));
    let is_one = entries.iter().any(|entry| !entry.is_dir && is_log(&entry.name));
    let noted = Noted::of(&**disk, if is_one { root.parent().unwrap_or(root) } else { root })?;
    let mut verifier = Verifier { disk, depth, noted, report, summary: Summary::default() };
    if is_one {
        verifier.log(root)?;
    }
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        if PartitionName::of_directory(&entry.name).is_some() {
            verifier.log(&root.join(&entry.name))?;
        }
    }
    Ok(verifier.summary)
}

/// The batches of one `.log` file, each with its position, read and checked one after the other.
/// The first that is not whole is the last item.
#[derive(Debug)]
pub struct FileBatches {
    scan: WholeScan,
    failed: bool,
}

impl FileBatches {
    /// # Errors
    /// What the disk reports.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path, Mode::Read)?;
        let len = file.len()?;
        Ok(Self { scan: WholeScan::new(file, 0, len), failed: false })
    }
}

impl Iterator for FileBatches {
    type Item = Result<(u64, Batch), BadBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let position = self.scan.position();
        match self.scan.next() {
            Ok(batch) => Some(Ok((position, batch?))),
            Err(error) => {
                self.failed = true;
                let reason = match error {
                    ScanError::Io(error) => error.to_string(),
                    ScanError::Bad { what, .. } => what.to_string(),
                };
                Some(Err(BadBatch { position, reason }))
            }
        }
    }
}

/// Where a file cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBatch {
    pub position: u64,
    pub reason: String,
}

/// What a directory's checkpoints say of its logs.
#[derive(Debug, Default)]
struct Noted {
    recovery_points: Offsets,
    starts: Offsets,
    compacted: Compacted,
}

impl Noted {
    /// What cannot be read says nothing.
    fn of(disk: &dyn Disk, root: &Path) -> io::Result<Self> {
        let read =
            |name| Ok::<_, io::Error>(checkpoint::read_offsets(disk, &root.join(name))?.whole());
        let mut recovery_points = read(RECOVERY_POINTS)?.unwrap_or_default();
        let copies = take_starts(&mut recovery_points);
        Ok(Self {
            recovery_points,
            starts: read(LOG_STARTS)?.unwrap_or(copies),
            compacted: Compacted::of(read(CLEANED)?.unwrap_or_default()),
        })
    }
}

struct Verifier<'a> {
    disk: &'a Arc<dyn Disk>,
    depth: Depth,
    noted: Noted,
    report: &'a mut dyn FnMut(Finding),
    summary: Summary,
}

/// The thread through the segments of one log.
#[derive(Debug, Default)]
struct Thread {
    expected: Offset,
    epoch: Option<LeaderEpoch>,
    noted: Option<EpochCache>,
    /// Below, compaction or deletion explains a gap.
    gaps_below: Offset,
    /// A batch was missing within a segment: compaction has been there, noted or not.
    has_gaps: bool,
    /// The file so far ended with a whole batch.
    is_whole: bool,
    producers: BTreeMap<ProducerId, Offset>,
    transactions: OpenTransactions,
    recovery_point: Offset,
    snapshots: Vec<(Offset, Vec<SnapshotEntry>)>,
}

impl Verifier<'_> {
    fn log(&mut self, dir: &Path) -> io::Result<()> {
        self.summary.logs += 1;
        let mut thread = Thread::default();
        match EpochCache::load(&**self.disk, dir)? {
            Found::Whole(cache) => thread.noted = Some(cache),
            Found::Absent => {}
            Found::Damaged { reason } => {
                self.find(dir, EPOCHS_FILE, None, Fault::Checkpoint { reason });
            }
        }
        let bases: Vec<Offset> = self
            .disk
            .read_dir(dir)?
            .iter()
            .filter_map(|entry| name::parse(&entry.name))
            .filter(|(_, kind)| *kind == Kind::Log)
            .map(|(base, _)| base)
            .collect();
        let name =
            dir.file_name().and_then(|name| PartitionName::of_directory(&name.to_string_lossy()));
        let key = name.map(|name| (name.topic().to_owned(), name.partition()));
        let of = |offsets: &Offsets| key.as_ref().and_then(|key| offsets.get(key)).copied();
        let start = of(&self.noted.starts).unwrap_or_default();
        let recovery_point = of(&self.noted.recovery_points).unwrap_or_default();
        thread.recovery_point = recovery_point;
        let gaps_below = key.as_ref().map(|key| self.noted.compacted.gaps_below(key));
        thread.gaps_below = gaps_below.unwrap_or_default().max(start);
        thread.expected = bases.first().copied().unwrap_or(start);
        thread.is_whole = true;
        self.snapshots(dir, &mut thread)?;
        for (at, &base) in bases.iter().enumerate() {
            self.gap(dir, base, &thread);
            self.segment(dir, base, bases.get(at + 1).copied(), &mut thread)?;
        }
        if thread.is_whole {
            self.producers(dir, thread.expected, &mut thread);
        }
        if thread.is_whole && thread.expected < recovery_point {
            let fault = Fault::Missing { from: thread.expected, to: recovery_point };
            let file = name::file_name(bases.last().copied().unwrap_or(start), Kind::Log);
            self.find(dir, &file, None, fault);
        }
        Ok(())
    }

    /// Whether a segment is missing before `base`.
    fn gap(&mut self, dir: &Path, base: Offset, thread: &Thread) {
        let explained = thread.has_gaps || base <= thread.gaps_below || !thread.is_whole;
        if base > thread.expected && !explained {
            let fault = Fault::Missing { from: thread.expected, to: base };
            self.find(dir, &name::file_name(base, Kind::Log), None, fault);
        }
    }

    fn snapshots(&mut self, dir: &Path, thread: &mut Thread) -> io::Result<()> {
        for at in snapshot::list(&**self.disk, dir)? {
            match snapshot::read(&**self.disk, dir, at)? {
                Found::Whole(entries) => thread.snapshots.push((at, entries)),
                Found::Absent => {}
                Found::Damaged { reason } => {
                    let file = name::file_name(at, Kind::Snapshot);
                    self.find(dir, &file, None, Fault::Snapshot { reason });
                }
            }
        }
        Ok(())
    }

    /// Holds the snapshots that stand before `base` against the batches up to there.
    fn producers(&mut self, dir: &Path, base: Offset, thread: &mut Thread) {
        let due = thread.snapshots.iter().take_while(|(at, _)| *at <= base).count();
        for (at, entries) in thread.snapshots.drain(..due).collect::<Vec<_>>() {
            for entry in entries {
                let noted = entry.last_batch.map(|batch| batch.last_offset);
                let found = thread.producers.get(&entry.producer).copied();
                if let (Some(noted), Some(found)) = (noted, found)
                    && noted != found
                {
                    let fault = Fault::Producer { producer: entry.producer, noted, found };
                    self.find(dir, &name::file_name(at, Kind::Snapshot), None, fault);
                }
            }
        }
    }

    fn segment(
        &mut self,
        dir: &Path,
        base: Offset,
        next: Option<Offset>,
        thread: &mut Thread,
    ) -> io::Result<()> {
        self.summary.segments += 1;
        let file_name = name::file_name(base, Kind::Log);
        let file = self.disk.open(&dir.join(&file_name), Mode::Read)?;
        let len = file.len()?;
        let extent = Extent { end: next.unwrap_or(Offset(i64::MAX)), log_bytes: len };
        let mut indexes = self.indexes(dir, base, extent)?;
        let is_believed = next.is_some_and(|next| next <= thread.recovery_point);
        let mut listed = match Listed::open(self.disk, dir, base, extent, is_believed) {
            Ok(listed) => listed,
            Err(error) => {
                let fault = aborted::damage(error)?;
                self.find(dir, &name::file_name(base, Kind::TxnIndex), None, fault);
                Listed::unknown()
            }
        };
        if base < thread.expected {
            let fault = Fault::Overlap { expected: thread.expected, found: base };
            self.find(dir, &file_name, None, fault);
        }
        // Between two segments is another question.
        thread.expected = thread.expected.max(base);
        let mut scan = WholeScan::new(file, 0, len);
        thread.is_whole = false;
        loop {
            let position = scan.position();
            let batch = match scan.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => {
                    thread.is_whole = true;
                    break;
                }
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { what, .. }) => {
                    let fault =
                        Fault::Batch { expected: thread.expected, reason: what.to_string() };
                    self.find(dir, &file_name, Some(position), fault);
                    break;
                }
            };
            self.batch(dir, &file_name, position, &batch, thread);
            indexes.pass(position, batch.header());
            listed.pass(&batch, &mut thread.transactions);
        }
        indexes.finish();
        listed.finish();
        for fault in listed.faults {
            self.find(dir, &name::file_name(base, Kind::TxnIndex), None, fault);
        }
        for fault in indexes.faults {
            let kind = match fault {
                Fault::TimeEntry(_) => Kind::TimeIndex,
                _ => Kind::OffsetIndex,
            };
            self.find(dir, &name::file_name(base, kind), None, fault);
        }
        Ok(())
    }

    fn batch(&mut self, dir: &Path, file: &str, position: u64, batch: &Batch, thread: &mut Thread) {
        let header = batch.header();
        let base = header.base_offset;
        self.summary.batches += 1;
        self.summary.bytes += batch.size() as u64;
        if base < thread.expected {
            let fault = Fault::Overlap { expected: thread.expected, found: base };
            self.find(dir, file, Some(position), fault);
        }
        self.producers(dir, base, thread);
        thread.has_gaps |= base > thread.expected;
        thread.expected = header.last_offset().next();
        if batch.producer_id() > ProducerId::NONE && !batch.is_control() {
            thread.producers.insert(batch.producer_id(), header.last_offset());
        }
        let epoch = header.leader_epoch;
        let before = thread.epoch.unwrap_or(LeaderEpoch::UNKNOWN);
        if epoch < before {
            let fault = Fault::EpochWentBack { base, epoch, before };
            self.find(dir, file, Some(position), fault);
        } else if epoch > before {
            if let Some(noted) = &thread.noted
                && !is_noted(noted, epoch, base)
            {
                let fault = Fault::EpochNotNoted { epoch, start: base };
                self.find(dir, file, Some(position), fault);
            }
            thread.epoch = Some(epoch);
        }
        if self.depth == Depth::Records {
            match count_records(batch) {
                Ok(count) => self.summary.records += count,
                Err(reason) => {
                    self.find(dir, file, Some(position), Fault::Records { base, reason });
                }
            }
        } else {
            self.summary.records += u64::try_from(header.record_count).unwrap_or_default();
        }
    }

    fn indexes(&mut self, dir: &Path, base: Offset, extent: Extent) -> io::Result<Indexes> {
        let path = |kind| dir.join(name::file_name(base, kind));
        let max = u32::MAX;
        let offsets =
            OffsetIndex::open_sealed(self.disk, &path(Kind::OffsetIndex), base, max, extent);
        let offsets = offsets.and_then(|index| Ok(index.entries()?));
        let times = TimeIndex::open_sealed(self.disk, &path(Kind::TimeIndex), base, max, extent);
        let times = times.and_then(|index| Ok(index.entries()?));
        let offsets = self.entries(dir, base, Kind::OffsetIndex, extent, offsets)?;
        let times = self.entries(dir, base, Kind::TimeIndex, extent, times)?;
        Ok(Indexes {
            offsets: offsets.into_iter().peekable(),
            times: times.into_iter().peekable(),
            faults: Vec::new(),
        })
    }

    fn entries<T>(
        &mut self,
        dir: &Path,
        base: Offset,
        kind: Kind,
        extent: Extent,
        read: Result<Vec<T>, OpenError>,
    ) -> io::Result<Vec<T>> {
        match read {
            Ok(entries) => Ok(entries),
            // The files come with the first batch.
            Err(OpenError::Missing) if extent.log_bytes == 0 => Ok(Vec::new()),
            Err(OpenError::Io(error)) => Err(error),
            Err(error) => {
                let fault = Fault::Index { reason: error.to_string() };
                self.find(dir, &name::file_name(base, kind), None, fault);
                Ok(Vec::new())
            }
        }
    }

    fn find(&mut self, dir: &Path, file: &str, position: Option<u64>, fault: Fault) {
        self.summary.findings += 1;
        let log = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let (log, file) = (log.unwrap_or_default(), file.to_owned());
        (self.report)(Finding { log, file, position, fault });
    }
}

/// The entries of a segment's indexes, held against its batches as they pass.
struct Indexes {
    offsets: std::iter::Peekable<std::vec::IntoIter<OffsetEntry>>,
    times: std::iter::Peekable<std::vec::IntoIter<TimeEntry>>,
    faults: Vec<Fault>,
}

impl Indexes {
    fn pass(&mut self, position: u64, header: &BatchHeader) {
        let last = header.last_offset();
        while let Some(entry) = self.offsets.next_if(|entry| u64::from(entry.position) <= position)
        {
            if u64::from(entry.position) != position || entry.offset != last {
                self.faults.push(Fault::OffsetEntry(entry));
            }
        }
        while let Some(entry) = self.times.next_if(|entry| entry.offset <= last) {
            if entry.offset != last || entry.timestamp != header.max_timestamp {
                self.faults.push(Fault::TimeEntry(entry));
            }
        }
    }

    /// What is left leads nowhere.
    fn finish(&mut self) {
        self.faults.extend(self.offsets.by_ref().map(Fault::OffsetEntry));
        self.faults.extend(self.times.by_ref().map(Fault::TimeEntry));
    }
}

/// An epoch may begin before its first batch that is left, as retention takes the first ones.
fn is_noted(noted: &EpochCache, epoch: LeaderEpoch, base: Offset) -> bool {
    noted.entries().iter().any(|entry| entry.epoch == epoch && entry.start <= base)
        || noted.earliest().is_some_and(|earliest| base < earliest.start)
}

fn count_records(batch: &Batch) -> Result<u64, String> {
    let records = batch.records(InflateLimit::default()).map_err(|error| error.to_string())?;
    let mut count = 0;
    let mut newest = Timestamp::NONE;
    for record in records {
        newest = newest.max(record.map_err(|error| error.to_string())?.timestamp);
        count += 1;
    }
    if newest > batch.max_timestamp() {
        return Err(format!(
            "a record is later than {}, the greatest noted",
            batch.max_timestamp().0
        ));
    }
    Ok(count)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.log, self.file)?;
        if let Some(position) = self.position {
            write!(f, " at {position}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch { expected, reason } => {
                write!(f, "no whole batch where offset {} was expected: {reason}", expected.0)
            }
            Self::Records { base, reason } => write!(f, "records of batch {}: {reason}", base.0),
            Self::Overlap { expected, found } => {
                write!(f, "offset {} again, where {} was expected", found.0, expected.0)
            }
            Self::EpochWentBack { base, epoch, before } => {
                write!(f, "batch {} of epoch {} after one of {}", base.0, epoch.0, before.0)
            }
            Self::EpochNotNoted { epoch, start } => {
                write!(f, "epoch {} begins at {}, which is not noted", epoch.0, start.0)
            }
            Self::Index { reason } | Self::Checkpoint { reason } | Self::Snapshot { reason } => {
                f.write_str(reason)
            }
            Self::Missing { from, to } => {
                write!(f, "offsets {} to {} are missing", from.0, to.0 - 1)
            }
            Self::Producer { producer, noted, found } => write!(
                f,
                "the last batch of producer {} ends with {}, {} is noted",
                producer.0, found.0, noted.0
            ),
            Self::Aborted(AbortedTransaction { producer, first, last, .. }) => write!(
                f,
                "producer {} did not abort {}..={} by a marker there",
                producer.0, first.0, last.0
            ),
            Self::Unlisted { producer, first, last } => write!(
                f,
                "producer {} aborted {}..={}, which is not listed",
                producer.0, first.0, last.0
            ),
            Self::OffsetEntry(OffsetEntry { offset, position }) => {
                write!(f, "no batch that ends with {} at {position}", offset.0)
            }
            Self::TimeEntry(TimeEntry { timestamp, offset }) => {
                write!(f, "no batch of time {} that ends with {}", timestamp.0, offset.0)
            }
        }
    }
}

impl std::error::Error for Fault {}

const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::{
        fs::sim::SimDisk,
        log::tests::{append, open, small},
    };

    const DIR: &str = "/data/a-0";

    fn written() -> Arc<dyn Disk> {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let (log, _) = open(&disk, Path::new(DIR), &small());
        for at in 0..40 {
            append(&log, at, &["value", "another"]);
        }
        log.close().unwrap();
        disk
    }

    fn findings(disk: &Arc<dyn Disk>) -> (Vec<(String, Fault)>, Summary) {
        let mut found = Vec::new();
        let summary = verify(disk, Path::new("/data"), Depth::Records, &mut |finding| {
            found.push((finding.file, finding.fault));
        });
        (found, summary.unwrap())
    }

    fn overwrite(disk: &Arc<dyn Disk>, file: &str, position: u64, bytes: &[u8]) {
        let file = disk.open(&Path::new(DIR).join(file), Mode::ReadWrite).unwrap();
        file.write_all_at(&mut [IoSlice::new(bytes)], position).unwrap();
    }

    #[test]
    fn a_log_that_was_written_in_order_has_nothing_to_report() {
        let (found, summary) = findings(&written());
        assert_eq!(found, []);
        assert_eq!((summary.logs, summary.batches, summary.records), (1, 40, 80));
        assert!(summary.segments > 3);
    }

    #[test]
    fn a_flipped_bit_and_a_wrong_index_entry_are_named() {
        let disk = written();
        overwrite(&disk, "00000000000000000000.log", 70, b"!");
        overwrite(&disk, "00000000000000000000.index", 4, &7_u32.to_be_bytes());
        let (found, _) = findings(&disk);
        assert!(matches!(&found[0], (file, Fault::Batch { expected: Offset(0), .. })
            if file == "00000000000000000000.log"));
        assert!(found.iter().any(|(_, fault)| matches!(fault, Fault::OffsetEntry(_))));
        assert!(!found[0].1.heals());
    }

    #[test]
    fn the_batches_of_a_file_come_one_by_one_up_to_the_first_bad_one() {
        let disk = written();
        let path = Path::new(DIR).join("00000000000000000000.log");
        let whole: Vec<_> = FileBatches::open(&*disk, &path).unwrap().map(Result::unwrap).collect();
        let third = whole[2].0;
        overwrite(&disk, "00000000000000000000.log", third + 30, b"!");
        let cut: Vec<_> = FileBatches::open(&*disk, &path).unwrap().collect();
        assert_eq!(cut.len(), 3);
        assert_eq!(cut[2].as_ref().unwrap_err().position, third);
    }
}
