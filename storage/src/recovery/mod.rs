//! Opening a log: trusting what is known to have been synced, checking everything else.
//!
//! A crash can take what was written after the last sync, page by page and in any order. So past
//! the recovery point every batch is read and its checksum compared; the log ends before the
//! first one that is not whole. But only if a crash explains it: bytes that are missing, or a page
//! of zeros. Damage with sound batches behind it and no such trace, and any damage below the
//! recovery point, is not cut away: opening fails and names the place.
//!
//! Below the recovery point nothing is looked at but what leads to it: the batch that the offset
//! index last names there, and the headers from it on. Damage before is found by whoever reads it.
//!
//! What is read may be in the page cache alone. All of it is made durable at once, before it is
//! read, and once more afterwards with what was cut, removed and written anew: see
//! `make_durable`.

mod aborted;
mod damage;
mod leftovers;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::Path,
    sync::Arc,
};

use milena_protocol::{
    Offset, Timestamp,
    records::{BatchError, BatchHeader},
};
use tracing::{info, warn};

use self::walk::{Stop, Walk};
use crate::{
    checkpoint::Found,
    epochs::{EpochCache, EpochStart},
    fs::Disk,
    log::{
        config::LogConfig,
        producing,
        state::{Epochs, Mark, OpenLog, State, Writer},
    },
    planted::{Bug, is_planted},
    producers::{EndMarker, ProducerStates},
    segment::{Doubted, IndexSizes, Located, Opened, ScanError, Segment, name, name::Kind},
};

/// What opening a log found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub segments: usize,
    /// Batches below the recovery point whose headers were looked at.
    pub batches_passed: u64,
    /// Batches past the recovery point whose checksum was compared.
    pub batches_checked: u64,
    pub bytes_checked: u64,
    /// Bytes behind the last whole batch, which a crash had left; they are gone.
    pub bytes_cut: u64,
    /// Segments behind the cut, counted in `bytes_cut`.
    pub segments_dropped: usize,
    pub indexes_rebuilt: usize,
    /// Files of unfinished deletions and compactions that were removed.
    pub leftovers: usize,
}

#[derive(Debug)]
pub enum OpenError {
    Io(io::Error),
    /// Damage that no crash explains. Nothing was changed.
    Corrupt {
        segment: Offset,
        position: u64,
        expected: Offset,
        reason: String,
    },
    /// No file holds these offsets, though they were synced and nothing deleted or compacted them.
    /// Nothing was changed.
    Missing {
        from: Offset,
        to: Offset,
    },
}

/// A log's parts, made sure of.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) writer: Writer,
    pub(crate) state: State,
    pub(crate) epochs: Epochs,
    pub(crate) report: Recovered,
}

pub(crate) fn load(
    disk: &Arc<dyn Disk>,
    dir: &Arc<Path>,
    config: &LogConfig,
    open: OpenLog,
) -> Result<Loaded, OpenError> {
    disk.create_dir_all(dir)?;
    let leftovers = leftovers::sweep(&**disk, dir)?;
    let (cache, all_headers) = match EpochCache::load(&**disk, dir)? {
        Found::Whole(cache) => (cache, false),
        Found::Absent => (EpochCache::default(), true),
        Found::Damaged { reason } => {
            warn!(dir = %dir.display(), reason, "rebuilding the leader epochs");
            (EpochCache::default(), true)
        }
    };
    let epochs = Epochs { cache, ..Epochs::default() };
    let report = Recovered { leftovers, ..Recovered::default() };
    let mut opening = Opening {
        disk,
        dir,
        config,
        open,
        epochs,
        all_headers,
        new_epoch: None,
        report,
        settles: false,
        unlisted: BTreeMap::new(),
        aborts_lost: BTreeSet::new(),
        times_lost: BTreeSet::new(),
    };
    let (mut segments, mut end) = opening.segments()?;
    if segments.is_empty() && open.recovery_point > open.log_start {
        return Err(OpenError::Missing { from: open.log_start, to: open.recovery_point });
    }
    if segments.is_empty() || end < open.log_start {
        // What was deleted on request stays deleted, even if a crash took what came before it.
        let bases: Vec<Offset> = segments.drain(..).map(|segment| segment.base).collect();
        opening.drop_all(&bases)?;
        segments.push(opening.create(open.log_start)?);
        disk.sync_dir(dir)?;
        end = open.log_start;
    }
    opening.finish(segments, end)
}

/// To be called before the logs at `path` and below are opened after an unclean stop, and again
/// before anybody reads or writes what was opened.
pub(crate) fn make_durable(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if is_planted(Bug::RecoveredNotSynced) { Ok(()) } else { disk.sync_all(path) }
}

/// Brings `producers` up to date with a log of `start..end`.
pub(crate) fn replay(
    disk: &dyn Disk,
    dir: &Path,
    segments: &[Arc<Segment>],
    (start, end): (Offset, Offset),
    now: Timestamp,
    producers: &mut ProducerStates,
) -> Result<(), ScanError> {
    if is_planted(Bug::ProducersForgotten) {
        producers.advance_end(end);
        return Ok(());
    }
    let from = producers.restore(disk, dir, start, end, now)?;
    if !producers.is_empty() {
        recall(segments, from, producers)?;
    }
    if from < end {
        read_from(segments, from, |_, header, marker| {
            producing::note(producers, header, marker, now);
        })?;
    }
    producers.advance_end(end);
    Ok(())
}

/// Reads the headers of all batches from `from` on, and what control batches say.
fn read_from(
    segments: &[Arc<Segment>],
    from: Offset,
    mut seen: impl FnMut(&Segment, &BatchHeader, Option<EndMarker>),
) -> Result<(), ScanError> {
    let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
    for segment in segments.iter().skip(first) {
        let size = segment.size();
        let Some(entry) = segment.find(from, size)? else { continue };
        let mut scan = segment.scan(entry.position, size);
        let mut expected = segment.base;
        while let Some(batch) = scan.next()? {
            let BatchHeader { base_offset, last_offset_delta, .. } = batch.header;
            if base_offset < expected {
                // This one or the one before has a wrong offset, which no checksum covers.
                let base_offset = base_offset.0;
                let what = BatchError::BadOffsets { base_offset, last_offset_delta };
                return Err(ScanError::Bad { position: batch.position, what });
            }
            expected = batch.header.last_offset().next();
            let marker = if batch.header.attributes.is_control() {
                producing::end_marker(&segment.read(&batch)?)
            } else {
                None
            };
            seen(segment, &batch.header, marker);
        }
    }
    Ok(())
}

/// Reads the headers of the last batches before `from`, where a snapshot stands, which tells only
/// one batch of each producer: one may have several unanswered, and send all of them again.
fn recall(
    segments: &[Arc<Segment>],
    from: Offset,
    producers: &mut ProducerStates,
) -> Result<(), ScanError> {
    let holding = segments.partition_point(|segment| segment.base < from);
    let before = segments.get(..holding).unwrap_or_default();
    let mut left = RECALLED_BYTES;
    let mut parts = Vec::new();
    for segment in before.iter().rev() {
        let size = segment.size();
        let end = segment.find(from, size)?.map_or(size, |batch| batch.position);
        let begin = match segment.scan(0, size).next()? {
            Some(first) => segment.last_boundary(first, end.saturating_sub(left))?,
            None => 0,
        };
        parts.push((segment, begin, end));
        left = left.saturating_sub(end - begin);
        if left == 0 {
            break;
        }
    }
    for (segment, begin, end) in parts.into_iter().rev() {
        let mut scan = segment.scan(begin, end);
        while let Some(batch) = scan.next()? {
            producing::recall(producers, &batch.header);
        }
    }
    Ok(())
}

struct Opening<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Arc<Path>,
    config: &'a LogConfig,
    open: OpenLog,
    epochs: Epochs,
    /// The list of them is damaged or not there, and found anew.
    all_headers: bool,
    /// One that begins with the last batch seen.
    new_epoch: Option<EpochStart>,
    report: Recovered,
    /// Nobody but us makes durable what the last run left, and what we make of it.
    settles: bool,
    /// Bases of segments whose aborted transactions are to be found anew, as markers were seen or
    /// may be there, each with the offset from which on, and of those among them whose list is
    /// damaged.
    unlisted: BTreeMap<Offset, Offset>,
    aborts_lost: BTreeSet<Offset>,
    /// The same of those whose time index is.
    times_lost: BTreeSet<Offset>,
}

impl Opening<'_> {
    /// All segments that stay, and where the last of them ends.
    fn segments(&mut self) -> Result<(Vec<Arc<Segment>>, Offset), OpenError> {
        let bases = self.bases()?;
        self.settles = !bases.is_empty() && !self.open.clean_stop && !self.open.settled;
        if self.settles {
            make_durable(&**self.disk, self.dir)?;
        }
        let doubted = self.first_doubted(&bases);
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
        let mut end = self.open.log_start;
        for (at, &base) in bases.iter().enumerate() {
            let behind = bases.get(at + 1..).unwrap_or_default();
            if at <= doubted
                && let Some(before) = segments.last()
            {
                self.check_continued(before, base)?;
            }
            match behind.first() {
                Some(&next) if at < doubted => {
                    segments.push(self.trusted(base, next)?);
                    end = next;
                }
                None if self.open.clean_stop => {
                    let (segment, last) = self.closed(base)?;
                    segments.push(segment);
                    end = last;
                }
                _ if at > doubted && self.is_hole(end, base) => {
                    self.drop_all(bases.get(at..).unwrap_or_default())?;
                    break;
                }
                _ => {
                    let (segment, stop) = self.doubted(base, behind)?;
                    end = stop.expected;
                    segments.push(segment);
                    if stop.damage.is_some() {
                        self.drop_all(behind)?;
                        break;
                    }
                }
            }
        }
        Ok((segments, end))
    }

    fn bases(&self) -> io::Result<Vec<Offset>> {
        let entries = self.disk.read_dir(self.dir)?;
        let mut bases: Vec<Offset> = entries
            .iter()
            .filter_map(|entry| name::parse(&entry.name))
            .filter(|(_, kind)| *kind == Kind::Log)
            .map(|(base, _)| base)
            .collect();
        bases.sort_unstable();
        Ok(bases)
    }

    /// The segment that the recovery point lies in; those before it were synced whole.
    fn first_doubted(&self, bases: &[Offset]) -> usize {
        if self.open.clean_stop {
            return bases.len();
        }
        bases.partition_point(|base| *base <= self.open.recovery_point).saturating_sub(1)
    }

    /// A segment that is missing something before `base`. Compaction leaves gaps, but only in what
    /// was noted to be durable.
    fn is_hole(&self, end: Offset, base: Offset) -> bool {
        base > end && end >= self.open.recovery_point && end >= self.open.gaps_below
    }

    /// Below, a batch need not begin where the one before it ended.
    fn gaps_below(&self) -> Offset {
        if self.config.compact { Offset(i64::MAX) } else { self.open.gaps_below }
    }

    /// What was synced goes on at `base`, where the next segment begins, unless the log begins
    /// behind the gap or compaction made it.
    fn check_continued(&self, before: &Segment, base: Offset) -> Result<(), OpenError> {
        let explained =
            self.config.compact || base <= self.open.gaps_below || base <= self.open.log_start;
        if explained {
            return Ok(());
        }
        match before.end_offset()? {
            Some(end) if end < base => Err(OpenError::Missing { from: end, to: base }),
            // Or it is damaged at its end, which whoever reads there is told.
            _ => Ok(()),
        }
    }

    fn trusted(&mut self, base: Offset, next: Offset) -> Result<Arc<Segment>, OpenError> {
        let (sizes, now) = (self.sizes(), self.open.now);
        let opened = Segment::open_sealed(self.disk, self.dir, base, next, sizes, now);
        let segment = self.opened(opened.map_err(|error| corrupt(base, base, error))?);
        if self.all_headers {
            let mut scan = segment.scan(0, segment.size());
            while let Some(batch) = scan.next().map_err(|error| corrupt(base, base, error))? {
                self.note_epoch(&batch);
            }
        }
        Ok(Arc::new(segment))
    }

    /// The last segment of a log that was closed in order.
    fn closed(&mut self, base: Offset) -> Result<(Arc<Segment>, Offset), OpenError> {
        let (sizes, now) = (self.sizes(), self.open.now);
        let opened = Segment::open_active(self.disk, self.dir, base, sizes, now);
        let segment = self.opened(opened.map_err(|error| corrupt(base, base, error))?);
        let mut end = segment.offsets().last().map_or(base, |entry| entry.offset);
        let mut scan = match self.all_headers {
            true => segment.scan(0, segment.size()),
            false => segment.scan_from_last_entry(),
        };
        while let Some(batch) = scan.next().map_err(|error| corrupt(base, end, error))? {
            self.note_epoch(&batch);
            end = batch.header.last_offset().next();
        }
        if end < self.open.recovery_point {
            return Err(lacks_synced(base, segment.size(), end));
        }
        if end > self.open.recovery_point {
            self.check_closed(&segment, end)?;
        }
        Ok((Arc::new(segment), end))
    }

    fn opened(&mut self, opened: Opened) -> Segment {
        let Opened { segment, indexes_rebuilt, aborts_lost } = opened;
        self.report.indexes_rebuilt += usize::from(indexes_rebuilt || aborts_lost);
        if aborts_lost {
            self.unlisted.insert(segment.base, segment.base);
            self.aborts_lost.insert(segment.base);
        }
        segment
    }

    /// A log that was closed in order ends where its recovery point is. If one of the two is not
    /// what it was, the batches in between tell which.
    fn check_closed(&self, segment: &Segment, end: Offset) -> Result<(), OpenError> {
        let (trusted_below, gaps_below) = (self.open.recovery_point, self.gaps_below());
        let stop = Walk { segment, behind: None, trusted_below, gaps_below }.run(|_| {})?;
        if stop.damage.is_none() && stop.expected == end {
            return Ok(());
        }
        let reason = stop.damage.unwrap_or_else(|| "its end is not where it was".to_owned());
        let Stop { position, expected, .. } = stop;
        Err(OpenError::Corrupt { segment: segment.base, position, expected, reason })
    }

    /// Walks a segment that a crash may have damaged, and cuts it where it did.
    fn doubted(
        &mut self,
        base: Offset,
        later: &[Offset],
    ) -> Result<(Arc<Segment>, Stop), OpenError> {
        let (sizes, now, synced) = (self.sizes(), self.open.now, self.open.recovery_point);
        let Doubted { segment, mut behind, times_lost, aborts_lost } =
            Segment::open_doubted(self.disk, self.dir, base, synced, sizes, now)?;
        if aborts_lost {
            self.unlisted.insert(base, base);
            self.aborts_lost.insert(base);
        }
        if times_lost {
            self.times_lost.insert(base);
        }
        if self.all_headers {
            segment.forget_offsets()?;
            behind = None;
        }
        let from_start = behind.is_none();
        let walk = Walk {
            segment: &segment,
            behind,
            trusted_below: if is_planted(Bug::ChecksumNotCompared) {
                Offset(i64::MAX)
            } else {
                self.open.recovery_point
            },
            // Within a file a crash leaves zeros, not a gap.
            gaps_below: self.gaps_below(),
        };
        let stop = walk.run(|batch| {
            segment.note(batch, sizes.interval);
            self.note_epoch(batch);
            if batch.header.attributes.is_control() && batch.header.base_offset >= synced {
                self.unlisted.entry(base).or_insert(synced.max(base));
            }
        })?;
        self.report.batches_passed += stop.batches_passed;
        self.report.batches_checked += stop.batches_checked;
        self.report.bytes_checked += stop.bytes_checked;
        if let Some(reason) = &stop.damage {
            let sound_behind = later.iter().any(|base| self.has_bytes(*base));
            let trusted = stop.expected < self.open.recovery_point;
            if trusted || !damage::is_of_a_crash(&segment, &stop, sound_behind)? {
                return Err(OpenError::Corrupt {
                    segment: base,
                    position: stop.position,
                    expected: stop.expected,
                    reason: reason.clone(),
                });
            }
            let bytes = segment.size() - stop.position;
            warn!(dir = %self.dir.display(), base = base.0, position = stop.position, bytes,
                end = stop.expected.0, reason, "cut what a crash had left unfinished");
            self.report.bytes_cut += bytes;
            let within = u64::from(is_planted(Bug::TailCutWithinBatch));
            segment.cut((stop.position + within).min(segment.size()))?;
            // Else the next crash may bring back what was cut, beneath what is written over it.
            segment.sync()?;
        } else if stop.expected < self.open.recovery_point
            // Compaction may take the end of any segment but the last.
            && (later.is_empty() || !self.config.compact)
        {
            return Err(lacks_synced(base, stop.position, stop.expected));
        }
        self.report.indexes_rebuilt += usize::from(from_start || aborts_lost);
        Ok((Arc::new(segment), stop))
    }

    fn create(&self, base: Offset) -> Result<Arc<Segment>, OpenError> {
        let sizes = self.sizes();
        let created = Segment::create(self.disk, self.dir, base, sizes, self.open.now)?;
        Ok(Arc::new(created))
    }

    fn finish(mut self, segments: Vec<Arc<Segment>>, end: Offset) -> Result<Loaded, OpenError> {
        let Some(active) = segments.last().map(Arc::clone) else {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        };
        let first = segments.first().map_or(end, |segment| segment.base);
        let start = self.open.log_start.max(first);
        self.list_aborted(&segments, (start, end))
            .map_err(|error| corrupt(active.base, end, error))?;
        if !self.open.clean_stop {
            self.keep_indexes(&segments);
        }
        self.settle_epoch();
        self.epochs.dirty |= self.epochs.cache.truncate_from_end(end);
        self.epochs.dirty |= self.epochs.cache.truncate_from_start(start);
        let mut producers = ProducerStates::new(self.config.producer_expiration_ms);
        let (disk, bounds) = (&**self.disk, (start, end));
        replay(disk, self.dir, &segments, bounds, self.open.now, &mut producers)
            .map_err(|error| corrupt(active.base, end, error))?;
        if self.settles {
            make_durable(disk, self.dir)?;
        }
        self.report.segments = segments.len();
        let position = active.size();
        let mark = Mark { offset: end, segment: active.base, position };
        let state = State {
            segments,
            start,
            end: mark,
            flushed: mark,
            unsynced: Vec::new(),
            directory_unsynced: false,
        };
        if self.report.batches_checked > 0 || self.report.bytes_cut > 0 {
            info!(dir = %self.dir.display(), report = ?self.report, "recovered");
        }
        let writer = Writer { active, position, snapshot_at: 0, next: end, producers };
        Ok(Loaded { writer, state, epochs: self.epochs, report: self.report })
    }

    /// Writes the indexes of what was read. An entry that is missing is found again; a full disk
    /// need not stop us.
    fn keep_indexes(&self, segments: &[Arc<Segment>]) {
        let bases: Vec<Offset> = segments.iter().map(|segment| segment.base).collect();
        let doubted = segments.get(self.first_doubted(&bases)..).unwrap_or_default();
        for (at, segment) in doubted.iter().enumerate() {
            let sealed = at + 1 < doubted.len();
            let kept = if sealed { segment.seal() } else { segment.write_indexes() };
            let is_lost = self.times_lost.contains(&segment.base);
            let kept = kept
                .and_then(|()| if is_lost { segment.replace_times(&**self.disk) } else { Ok(()) });
            if let Err(error) = kept {
                warn!(dir = %self.dir.display(), base = segment.base.0, %error, "index not saved");
            }
        }
    }

    /// Removes segments that lie behind a hole, from the end.
    fn drop_all(&mut self, bases: &[Offset]) -> io::Result<()> {
        for &base in bases.iter().rev() {
            let path = |kind| self.dir.join(name::file_name(base, kind));
            let bytes = self.disk.open(&path(Kind::Log), crate::fs::Mode::Read)?.len()?;
            warn!(dir = %self.dir.display(), base = base.0, bytes, "dropped what lay behind a hole");
            self.report.bytes_cut += bytes;
            self.report.segments_dropped += 1;
            for kind in Kind::ALL {
                match self.disk.remove_file(&path(kind)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            self.disk.sync_dir(self.dir)?;
        }
        Ok(())
    }

    fn has_bytes(&self, base: Offset) -> bool {
        let path = self.dir.join(name::file_name(base, Kind::Log));
        let opened = self.disk.open(&path, crate::fs::Mode::Read);
        opened.and_then(|file| file.len()).map_or(true, |len| len > 0)
    }

    /// No checksum covers a batch's epoch: a new one is believed once the next batch has none
    /// before it. Below the recovery point there are no new ones, as they are saved before it is.
    fn note_epoch(&mut self, batch: &Located) {
        let (epoch, start) = (batch.header.leader_epoch, batch.header.base_offset);
        if self.new_epoch.is_some_and(|new| epoch >= new.epoch) {
            self.settle_epoch();
        }
        self.new_epoch = None;
        let saved = self.open.clean_stop || batch.header.last_offset() < self.open.recovery_point;
        let latest = self.epochs.cache.latest();
        if latest.is_none_or(|latest| epoch > latest.epoch) && (self.all_headers || !saved) {
            self.new_epoch = Some(EpochStart { epoch, start });
        }
    }

    fn settle_epoch(&mut self) {
        if let Some(EpochStart { epoch, start }) = self.new_epoch.take() {
            self.epochs.dirty |= self.epochs.cache.assign(epoch, start);
        }
    }

    fn sizes(&self) -> IndexSizes {
        IndexSizes::of(self.config)
    }
}

/// The file ends with a whole batch, but not with the last one that was known to be synced.
fn lacks_synced(segment: Offset, position: u64, expected: Offset) -> OpenError {
    let reason = "the file ends before what was synced".to_owned();
    OpenError::Corrupt { segment, position, expected, reason }
}

fn corrupt(segment: Offset, expected: Offset, error: ScanError) -> OpenError {
    match error {
        ScanError::Io(error) => OpenError::Io(error),
        ScanError::Bad { position, what } => {
            OpenError::Corrupt { segment, position, expected, reason: what.to_string() }
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Corrupt { segment, position, expected, reason } => write!(
                f,
                "segment {} is damaged at position {position}, where offset {} was expected: \
                 {reason}",
                segment.0, expected.0
            ),
            Self::Missing { from, to } => {
                write!(f, "offsets {} to {} are missing: no segment holds them", from.0, to.0 - 1)
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Five of the largest batches by default; some milliseconds to read.
const RECALLED_BYTES: u64 = 5 << 20;
