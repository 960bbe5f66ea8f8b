//! One segment: a file of batches and its indexes.

mod aborts;
mod doubted;
mod known;
mod left_off;
pub(crate) mod name;
mod order;
mod scan;

use std::{
    io,
    io::IoSlice,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use milena_protocol::{
    Offset, Timestamp,
    records::{Batch, BatchHeader},
};
use tracing::warn;

pub(crate) use self::{
    doubted::Doubted,
    order::{Bounds, Context, OrderedScan},
    scan::{Located, Scan, ScanError, WholeScan},
};
use self::{known::Known, left_off::LeftOff, name::Kind};
use crate::{
    fs::{Disk, File, Mode, is_out_of_descriptors},
    index::{self, Extent, OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, TransactionIndex},
    log::config::LogConfig,
    planted::{Bug, is_planted},
};

/// Shared by the log and by every reader that found something in it; the files stay readable,
/// whatever their names, until the last of them lets go.
///
/// One thread appends ([`Segment::write`], then [`Segment::note`], then [`Segment::publish`]);
/// readers see what was published.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    dir: Arc<Path>,
    file: Arc<dyn File>,
    /// Bytes of the file that hold whole batches.
    size: AtomicU64,
    offsets: OffsetIndex,
    times: TimeIndex,
    aborts: TransactionIndex,
    created: Timestamp,
    /// Where the age of the segment is counted from.
    first_timestamp: OnceLock<Timestamp>,
    progress: Mutex<Progress>,
    left_off: LeftOff,
    known: Known,
}

/// What decides the next index entry.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    newest: Option<TimeEntry>,
    bytes_since_entry: u64,
}

/// Sizes that a segment is opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexSizes {
    pub(crate) bytes_max: u32,
    pub(crate) interval: u32,
}

impl IndexSizes {
    pub(crate) fn of(config: &LogConfig) -> Self {
        Self { bytes_max: config.segment_index_bytes, interval: config.index_interval_bytes }
    }
}

impl Segment {
    /// Makes the files. They are durable only once the directory is synced.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> io::Result<Self> {
        let path = dir.join(name::file_name(base, Kind::Log));
        // An earlier attempt that ran out of space may have left a file, never one with a batch
        // that anyone was told of.
        let file = disk.open(&path, Mode::CreateOrOpen)?;
        // Only then, as a file that was cut has to be synced before its descriptor goes to another.
        if !file.is_empty()? {
            file.set_len(0)?;
        }
        let aborts = aborts::none(disk, dir, base)?;
        Self::with_new_indexes(disk, dir, base, file, aborts, sizes, now)
    }

    /// Makes the files of a segment that compaction writes, under names that a start removes.
    pub(crate) fn create_cleaned(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        sizes: IndexSizes,
        made: Timestamp,
    ) -> io::Result<Self> {
        let at = |kind| dir.join(name::file_name(base, kind) + name::CLEANED);
        let file = disk.open(&at(Kind::Log), Mode::CreateOrOpen)?;
        file.set_len(0)?;
        let offsets = OffsetIndex::create(disk, &at(Kind::OffsetIndex), base, sizes.bytes_max)?;
        let times = TimeIndex::create(disk, &at(Kind::TimeIndex), base, sizes.bytes_max)?;
        let aborts = TransactionIndex::create(disk, &at(Kind::TxnIndex), base)?;
        Ok(Self::assemble(dir, base, file, 0, (offsets, times, aborts), made))
    }

    /// Opens a segment below the active one. Damaged indexes are rebuilt.
    ///
    /// `end` is the base of the next segment.
    pub(crate) fn open_sealed(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        end: Offset,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> Result<Opened, ScanError> {
        let file = disk.open(&dir.join(name::file_name(base, Kind::Log)), Mode::ReadWrite)?;
        let log_bytes = file.len()?;
        let extent = Extent { end, log_bytes };
        let at = |kind| dir.join(name::file_name(base, kind));
        let (aborts, aborts_lost) =
            aborts::open(disk, dir, base, TransactionIndex::open_sealed, extent)?;
        let offsets =
            OffsetIndex::open_sealed(disk, &at(Kind::OffsetIndex), base, sizes.bytes_max, extent);
        let times =
            TimeIndex::open_sealed(disk, &at(Kind::TimeIndex), base, sizes.bytes_max, extent);
        let segment = match (offsets, times) {
            (Ok(offsets), Ok(times)) => {
                let progress = Progress { newest: times.last(), bytes_since_entry: 0 };
                let indexes = (offsets, times, aborts);
                let segment = Self::assemble(dir, base, file, log_bytes, indexes, now);
                *segment.progress() = progress;
                segment.catch_up_newest()?;
                return Ok(Opened { segment, indexes_rebuilt: false, aborts_lost });
            }
            (Err(index::OpenError::Io(error)), _) | (_, Err(index::OpenError::Io(error))) => {
                return Err(error.into());
            }
            (offsets, times) => {
                let (offsets, times) = (offsets.err(), times.err());
                warn!(dir = %dir.display(), base = base.0, ?offsets, ?times, "rebuilding indexes");
                Self::with_indexes_to_rebuild(disk, dir, base, file, aborts, sizes, now)?
            }
        };
        segment.rebuild(sizes)?;
        if let Err(error) = segment.seal().and_then(|()| segment.replace_times(&**disk)) {
            warn!(dir = %dir.display(), base = base.0, %error, "index not saved");
        }
        Ok(Opened { segment, indexes_rebuilt: true, aborts_lost })
    }

    /// Opens the last segment of a log that was closed in order: its indexes go up to its end.
    pub(crate) fn open_active(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> Result<Opened, ScanError> {
        let file = disk.open(&dir.join(name::file_name(base, Kind::Log)), Mode::ReadWrite)?;
        let log_bytes = file.len()?;
        let extent = Extent { end: Offset(i64::MAX), log_bytes };
        let (mut aborts, aborts_lost) =
            aborts::open(disk, dir, base, TransactionIndex::open, extent)?;
        let at = |kind| dir.join(name::file_name(base, kind));
        if log_bytes == 0 {
            let segment = Self::with_new_indexes(disk, dir, base, file, aborts, sizes, now)?;
            return Ok(Opened { segment, indexes_rebuilt: false, aborts_lost });
        }
        let (offsets_at, times_at) = (at(Kind::OffsetIndex), at(Kind::TimeIndex));
        let max = sizes.bytes_max;
        let offsets = OffsetIndex::open_active(disk, &offsets_at, base, max, extent);
        let times = TimeIndex::open_active(disk, &times_at, base, max, extent);
        match (offsets, times) {
            (Ok(offsets), Ok(times)) => {
                let file = Arc::clone(&file);
                let indexes = (offsets, times, aborts);
                let segment = Self::assemble(dir, base, file, log_bytes, indexes, now);
                match segment.resume(log_bytes) {
                    Ok(()) => {
                        return Ok(Opened { segment, indexes_rebuilt: false, aborts_lost });
                    }
                    Err(ScanError::Io(error)) => return Err(error.into()),
                    // The log may be sound, and the entry from which it was read a wrong one.
                    Err(error) => {
                        warn!(dir = %dir.display(), base = base.0, ?error, "rebuilding indexes");
                    }
                }
                aborts = segment.aborts;
            }
            (Err(index::OpenError::Io(error)), _) | (_, Err(index::OpenError::Io(error))) => {
                return Err(error.into());
            }
            (offsets, times) => {
                let (offsets, times) = (offsets.err(), times.err());
                warn!(dir = %dir.display(), base = base.0, ?offsets, ?times, "rebuilding indexes");
            }
        }
        let segment = Self::with_indexes_to_rebuild(disk, dir, base, file, aborts, sizes, now)?;
        segment.rebuild(sizes)?;
        if let Err(error) = segment.replace_times(&**disk) {
            warn!(dir = %dir.display(), base = base.0, %error, "index not saved");
        }
        Ok(Opened { segment, indexes_rebuilt: true, aborts_lost })
    }

    /// The times are believed by the next start, so that they are made anew beside what is there:
    /// see [`Segment::replace_times`].
    fn with_indexes_to_rebuild(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        file: Arc<dyn File>,
        aborts: TransactionIndex,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> io::Result<Self> {
        let size = file.len()?;
        let at = |kind| dir.join(name::file_name(base, kind));
        let beside = dir.join(name::file_name(base, Kind::TimeIndex) + name::CLEANED);
        let offsets = OffsetIndex::create(disk, &at(Kind::OffsetIndex), base, sizes.bytes_max)?;
        let times = TimeIndex::create(disk, &beside, base, sizes.bytes_max)?;
        Ok(Self::assemble(dir, base, file, size, (offsets, times, aborts), now))
    }

    fn with_new_indexes(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base: Offset,
        file: Arc<dyn File>,
        aborts: TransactionIndex,
        sizes: IndexSizes,
        now: Timestamp,
    ) -> io::Result<Self> {
        let size = file.len()?;
        let at = |kind| dir.join(name::file_name(base, kind));
        let (offsets_at, times_at) = (at(Kind::OffsetIndex), at(Kind::TimeIndex));
        let max = sizes.bytes_max;
        let (offsets, times) = if size == 0 {
            // Most of very many partitions may never get a batch.
            let offsets = OffsetIndex::absent(disk, &offsets_at, base, max)?;
            (offsets, TimeIndex::absent(disk, &times_at, base, max)?)
        } else {
            let offsets = OffsetIndex::create(disk, &offsets_at, base, max)?;
            (offsets, TimeIndex::create(disk, &times_at, base, max)?)
        };
        Ok(Self::assemble(dir, base, file, size, (offsets, times, aborts), now))
    }

    fn assemble(
        dir: &Arc<Path>,
        base: Offset,
        file: Arc<dyn File>,
        size: u64,
        (offsets, times, aborts): (OffsetIndex, TimeIndex, TransactionIndex),
        now: Timestamp,
    ) -> Self {
        Self {
            base,
            dir: Arc::clone(dir),
            file,
            size: AtomicU64::new(size),
            offsets,
            times,
            aborts,
            created: now,
            first_timestamp: OnceLock::new(),
            progress: Mutex::default(),
            left_off: LeftOff::default(),
            known: Known::default(),
        }
    }

    /// Writes from `position`, which nothing published lies behind. On an error the file is as
    /// it was, or `Err(Torn)` says that it is not.
    pub(crate) fn write(
        &self,
        slices: &mut [IoSlice<'_>],
        position: u64,
    ) -> Result<(), WriteError> {
        self.file.write_all_at(slices, position).map_err(|error| {
            if is_out_of_descriptors(&error) {
                // It could not be opened, neither for this nor to be cut.
                return WriteError::Undone(error);
            }
            self.known.cut(position);
            match self.file.set_len(position) {
                Ok(()) => WriteError::Undone(error),
                Err(undo) => WriteError::Torn { error, undo },
            }
        })
    }

    /// Counts a batch towards the indexes. An entry that finds no room is left out: the indexes
    /// are sparse anyway.
    pub(crate) fn note(&self, batch: &Located, interval: u32) {
        let BatchHeader { max_timestamp, .. } = batch.header;
        let last = batch.header.last_offset();
        let mut progress = self.progress();
        if progress.newest.is_none()
            && let Err(error) = self.offsets.make_file().and_then(|()| self.times.make_file())
        {
            warn!(dir = %self.dir.display(), base = self.base.0, %error, "no index file");
        }
        if progress.newest.is_none_or(|newest| max_timestamp > newest.timestamp) {
            progress.newest = Some(TimeEntry { timestamp: max_timestamp, offset: last });
        }
        if progress.bytes_since_entry > u64::from(interval) {
            let newest = progress.newest;
            match self.index(last, batch.position, newest) {
                Ok(()) => progress.bytes_since_entry = 0,
                Err(error) => {
                    warn!(dir = %self.dir.display(), base = self.base.0, %error, "no index entry");
                }
            }
        }
        progress.bytes_since_entry += batch.header.size() as u64;
        drop(progress);
        if batch.position == 0 {
            self.first_timestamp.get_or_init(|| max_timestamp);
        }
    }

    /// Shows readers the file up to `size`.
    pub(crate) fn publish(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Ends the segment: its greatest timestamp becomes the last entry of the time index.
    pub(crate) fn seal(&self) -> io::Result<()> {
        if let Some(newest) = self.newest() {
            self.add_time(newest).map_err(io::Error::other)?;
        }
        self.offsets.seal()?;
        self.times.seal()?;
        self.aborts.seal()
    }

    /// Forgets every batch from `position` on, the first of which holds `offset`.
    pub(crate) fn truncate(&self, offset: Offset, position: u64) -> Result<(), ScanError> {
        self.offsets.truncate_to(offset)?;
        self.times.truncate_to(offset)?;
        self.aborts.truncate_to(offset)?;
        self.cut(position)?;
        self.resume(position)
    }

    /// Drops what lies behind `position`, which no index knows of.
    pub(crate) fn cut(&self, position: u64) -> io::Result<()> {
        self.publish(position);
        let cut = self.file.set_len(position);
        self.left_off.forget();
        self.known.cut(position);
        cut
    }

    /// Syncs the batches. The indexes of a segment that is still written are not worth it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Syncs batches and indexes.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.aborts.sync()?;
        self.sync_indexes()
    }

    /// Syncs the indexes that can be rebuilt at any time.
    pub(crate) fn sync_indexes(&self) -> io::Result<()> {
        self.offsets.sync()?;
        self.times.sync()
    }

    /// Syncs the time index if anything was added to it.
    pub(crate) fn sync_times(&self) -> io::Result<()> {
        self.times.sync_news()
    }

    /// Reserves blocks for a segment of `len` bytes.
    pub(crate) fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn path(&self, kind: Kind) -> PathBuf {
        self.dir.join(name::file_name(self.base, kind))
    }

    pub(crate) fn scan(&self, from: u64, end: u64) -> Scan<'_> {
        Scan::new(&*self.file, from, end)
    }

    /// The first batch that ends at or behind `offset`, of those below `end`.
    pub(crate) fn find(&self, offset: Offset, end: u64) -> Result<Option<Located>, ScanError> {
        if let Some(batch) = self.left_off.holding(offset, end) {
            return Ok(Some(batch));
        }
        let hint = self.hint(offset);
        let position = u64::from(hint.position);
        if position > 0 && position < end {
            let mut scan = self.scan(position, end);
            match scan.next() {
                // The index is a hint: only a batch that is the one it names is believed.
                Ok(Some(batch))
                    if batch.header.last_offset() == hint.offset
                        || is_planted(Bug::IndexTrusted) =>
                {
                    return if hint.offset >= offset { Ok(Some(batch)) } else { scan.find(offset) };
                }
                Err(ScanError::Io(error)) => return Err(error.into()),
                _ => {
                    warn!(dir = %self.dir.display(), base = self.base.0, position, "wrong index entry");
                }
            }
        }
        self.scan(0, end).find(offset)
    }

    /// The greatest position at or below `limit` that a batch ends at, from `first` on; where
    /// that one starts if it ends behind the limit.
    pub(crate) fn last_boundary(&self, first: Located, limit: u64) -> Result<u64, ScanError> {
        let from = first.position;
        let generation = self.left_off.generation();
        let near = limit.saturating_sub(BOUNDARY_SEARCH_BYTES);
        let hint = match u32::try_from(near) {
            Ok(near) if u64::from(near) > from => {
                self.offsets.first_at_or_after(near).ok().flatten()
            }
            _ => None,
        };
        if let Some(entry) = hint.filter(|entry| u64::from(entry.position) <= limit) {
            let position = u64::from(entry.position);
            let mut scan = self.scan(position, self.size());
            // Believed only if the batch there is the one it names.
            if let Ok(Some(batch)) = scan.next()
                && batch.header.last_offset() == entry.offset
            {
                return self.boundary_from(batch, scan, limit, generation);
            }
        }
        let scan = self.scan(first.end(), self.size());
        self.boundary_from(first, scan, limit, generation)
    }

    pub(crate) fn newest(&self) -> Option<TimeEntry> {
        self.progress().newest
    }

    /// Where the segment may be entered to find the first batch as late as `timestamp`.
    pub(crate) fn before(&self, timestamp: Timestamp) -> io::Result<Offset> {
        // The entry at exactly this time names the batch itself, an earlier one a batch to pass.
        let entry = self.times.lookup(Timestamp(timestamp.0.saturating_sub(1)))?;
        Ok(entry.offset)
    }

    /// The wall clock's time since the segment began, by its first batch where that has a
    /// timestamp.
    pub(crate) fn age_ms(&self, newest: Timestamp, now: Timestamp) -> i64 {
        match self.first_timestamp() {
            Some(first) => newest.0.saturating_sub(first.0),
            None => now.0.saturating_sub(self.created.0),
        }
    }

    /// When it was made, or opened if that was later.
    pub(crate) fn created(&self) -> Timestamp {
        self.created
    }

    pub(crate) fn indexes_full(&self) -> bool {
        self.offsets.is_full() || self.times.is_full() || self.aborts.is_full()
    }

    /// Bytes of the larger of the indexes.
    pub(crate) fn index_bytes(&self) -> u64 {
        let bytes = |count: usize, entry_bytes: usize| (count * entry_bytes) as u64;
        bytes(self.offsets.count(), OFFSET_ENTRY_BYTES)
            .max(bytes(self.times.count(), TIME_ENTRY_BYTES))
    }

    /// An offset behind all batches that start before `position`, which is where one starts;
    /// `None` if the index does not know, or is wrong.
    pub(crate) fn bound_at(&self, position: u64) -> Option<Offset> {
        let position = u32::try_from(position).ok()?;
        let entry = self.offsets.first_at_or_after(position).ok().flatten()?;
        let named = self.scan(u64::from(entry.position), self.size()).next().ok().flatten()?;
        (named.header.last_offset() == entry.offset).then_some(entry.offset)
    }

    pub(crate) fn offsets(&self) -> &OffsetIndex {
        &self.offsets
    }

    /// The largest timestamp of the segment's first batch; read from the file once, if this
    /// process did not append it.
    pub(crate) fn first_timestamp(&self) -> Option<Timestamp> {
        let known = self.first_timestamp.get().copied().or_else(|| {
            let first = self.scan(0, self.size()).next().ok()??;
            Some(*self.first_timestamp.get_or_init(|| first.header.max_timestamp))
        });
        known.filter(|&timestamp| timestamp > Timestamp::NONE)
    }

    /// From the batch that the last index entry names; there the indexes know all that was before.
    pub(crate) fn scan_from_last_entry(&self) -> Scan<'_> {
        let from = self.offsets.last().map_or(0, |entry| u64::from(entry.position));
        self.scan(from, self.size())
    }

    /// The offset behind the last batch, found from the last index entry where that names a batch;
    /// `None` if no whole batch ends the file.
    pub(crate) fn end_offset(&self) -> io::Result<Option<Offset>> {
        let indexed = self.offsets.last().filter(|entry| entry.position > 0);
        let mut end = self.base;
        let mut scan = self.scan(0, self.size());
        if let Some(entry) = indexed {
            let mut hinted = self.scan(u64::from(entry.position), self.size());
            if let Ok(Some(batch)) = hinted.next()
                && batch.header.last_offset() == entry.offset
            {
                end = entry.offset.next();
                scan = hinted;
            }
        }
        loop {
            match scan.next() {
                Ok(Some(batch)) => end = batch.header.last_offset().next(),
                Ok(None) => return Ok(Some(end)),
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { .. }) => return Ok(None),
            }
        }
    }

    /// Reads a batch whole and checks it.
    pub(crate) fn read(&self, located: &Located) -> Result<Batch, ScanError> {
        let mut raw = vec![0; located.header.size()];
        self.file.read_exact_at(&mut raw, located.position)?;
        Batch::split(&mut raw.into())
            .map_err(|what| ScanError::Bad { position: located.position, what })
    }

    /// Tells the indexes that the files have their plain names with this suffix now.
    pub(crate) fn moved(&self, suffix: &str) {
        let named = |kind| self.dir.join(name::file_name(self.base, kind) + suffix);
        self.offsets.moved_to(named(Kind::OffsetIndex));
        self.times.moved_to(named(Kind::TimeIndex));
        self.aborts.moved_to(named(Kind::TxnIndex));
    }

    fn rebuild(&self, sizes: IndexSizes) -> Result<(), ScanError> {
        let mut scan = self.scan(0, self.size());
        while let Some(batch) = scan.next()? {
            self.note(&batch, sizes.interval);
        }
        Ok(())
    }

    /// The last entry of a time index is the newest batch's, unless the disk was full when the
    /// segment was sealed, or a crash came between: the batches behind the last entries are looked
    /// at.
    fn catch_up_newest(&self) -> io::Result<()> {
        let entry = self.offsets.last().filter(|entry| entry.position > 0);
        if entry.is_some() && self.catch_up_from(entry)? {
            return Ok(());
        }
        self.catch_up_from(None).map(drop)
    }

    /// From the batch that `entry` names, or from the start; `false` if it names none.
    fn catch_up_from(&self, entry: Option<OffsetEntry>) -> io::Result<bool> {
        let mut newest = self.newest();
        let mut scan = self.scan(entry.map_or(0, |entry| entry.position.into()), self.size());
        let mut named = entry.map(|entry| entry.offset);
        loop {
            match scan.next() {
                Ok(Some(batch)) => {
                    let offset = batch.header.last_offset();
                    if named.take().is_some_and(|named| named != offset) {
                        return Ok(false);
                    }
                    let timestamp = batch.header.max_timestamp;
                    if newest.is_none_or(|newest| timestamp > newest.timestamp) {
                        newest = Some(TimeEntry { timestamp, offset });
                    }
                }
                Ok(None) => break,
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { .. }) if named.is_some() => return Ok(false),
                // Whoever reads there is told.
                Err(ScanError::Bad { .. }) => break,
            }
        }
        self.progress().newest = newest;
        Ok(true)
    }

    /// Works out what the next index entry depends on from the last one.
    fn resume(&self, end: u64) -> Result<(), ScanError> {
        let from = self.offsets.last().map_or(0, |entry| u64::from(entry.position));
        let mut progress = Progress { newest: self.times.last(), bytes_since_entry: 0 };
        let mut scan = self.scan(from, end);
        while let Some(batch) = scan.next()? {
            let timestamp = batch.header.max_timestamp;
            if progress.newest.is_none_or(|newest| timestamp > newest.timestamp) {
                let offset = batch.header.last_offset();
                progress.newest = Some(TimeEntry { timestamp, offset });
            }
            progress.bytes_since_entry += batch.header.size() as u64;
        }
        *self.progress() = progress;
        Ok(())
    }

    fn index(
        &self,
        last: Offset,
        position: u64,
        newest: Option<TimeEntry>,
    ) -> Result<(), index::AppendError> {
        let position = u32::try_from(position).map_err(|_| index::AppendError::Full)?;
        self.offsets.append(last, position)?;
        newest.map_or(Ok(()), |newest| self.add_time(newest))
    }

    fn add_time(&self, newest: TimeEntry) -> Result<(), index::AppendError> {
        self.times.append(newest.timestamp, newest.offset)
    }

    /// Goes on from a batch until one ends behind the limit, from which the next read will begin.
    fn boundary_from(
        &self,
        mut batch: Located,
        mut scan: Scan<'_>,
        limit: u64,
        generation: u64,
    ) -> Result<u64, ScanError> {
        while batch.end() <= limit {
            match scan.next()? {
                Some(next) => batch = next,
                None => return Ok(batch.end()),
            }
        }
        let boundary = batch.position;
        self.left_off.note(batch, generation);
        Ok(boundary)
    }

    /// Where the index would have a search begin.
    fn hint(&self, offset: Offset) -> OffsetEntry {
        self.offsets.lookup(offset).unwrap_or_else(|error| {
            warn!(dir = %self.dir.display(), base = self.base.0, %error, "index not readable");
            OffsetEntry { offset: self.base, position: 0 }
        })
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A segment, and what happened to its indexes when it was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) segment: Segment,
    pub(crate) indexes_rebuilt: bool,
    /// The aborted transactions are to be found anew: see [`Segment::replace_aborts`].
    pub(crate) aborts_lost: bool,
}

/// A write that failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The file is as it was.
    Undone(io::Error),
    /// The file may hold a part of it.
    Torn { error: io::Error, undo: io::Error },
}

const OFFSET_ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;
/// How far before a limit the index is asked for a batch to search from.
const BOUNDARY_SEARCH_BYTES: u64 = 16 << 10;
