//! The I/O of a pass: reads keys into the map, and writes what is left of segments into new ones.

use std::{
    io::{self, IoSlice},
    path::Path,
    sync::Arc,
};

use milena_protocol::{
    Offset, Timestamp,
    compression::InflateLimit,
    records::{Batch, BatchHeader},
};

use super::{CompactError, Filter, OffsetMap, Pace, Pass, Transactions, filter::Rest};
use crate::{
    fs::Disk,
    index::AbortedTransaction,
    segment::{
        Bounds, Context, IndexSizes, Located, OrderedScan, Segment, WriteError,
        name::{self, CLEANED, Kind},
    },
};

/// Segments in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) segments: &'a [Arc<Segment>],
    /// Where the segment behind them begins.
    pub(crate) end: Offset,
    pub(crate) context: &'a Context,
}

impl<'a> Sources<'a> {
    fn each(self) -> impl Iterator<Item = (&'a Arc<Segment>, Bounds)> {
        let following = self.segments.iter().skip(1).map(|segment| segment.base);
        self.segments
            .iter()
            .zip(following.chain([self.end]))
            .map(|(segment, offset)| (segment, Bounds { position: segment.size(), offset }))
    }
}

/// The last offset of every key from [`Pass::from`] on, in as much of `dirty` as there is room for.
pub(crate) fn map_keys(
    dirty: Sources<'_>,
    pass: &Pass,
    mut transactions: Transactions,
    pace: &mut dyn Pace,
) -> Result<OffsetMap, CompactError> {
    let offsets = u64::try_from(pass.until.0.saturating_sub(pass.from.0)).unwrap_or(0);
    let mut map = OffsetMap::new(pass.map_bytes, offsets, pass.seed, pass.from);
    for (segment, bounds) in dirty.each() {
        let first = segment.find_in_order(pass.from, bounds, dirty.context);
        let first = first.map_err(|error| CompactError::scan(segment.base, error))?;
        let Some(first) = first else { continue };
        let start = (first.position, first.header.base_offset);
        let mut scan = OrderedScan::new(segment, start, bounds, dirty.context);
        loop {
            let position = scan.position();
            let next = scan.next().map_err(|error| CompactError::scan(segment.base, error))?;
            let Some(batch) = next else { break };
            if !pace.spend(batch.size() as u64) {
                return Err(CompactError::Interrupted);
            }
            let needless = transactions.is_needless(&batch);
            if !needless && !batch.is_control() {
                let full = map_batch(&batch, pass.from, &mut map)
                    .map_err(|error| CompactError::build(segment.base, position, &error.into()))?;
                if let Some(end) = full {
                    map.set_end(end);
                    return Ok(map);
                }
            }
            map.set_end(batch.last_offset().next());
        }
    }
    map.set_end(pass.until);
    Ok(map)
}

/// The first offset that found no room, if there is one.
fn map_batch(
    batch: &Batch,
    from: Offset,
    map: &mut OffsetMap,
) -> Result<Option<Offset>, milena_protocol::records::BatchError> {
    for record in batch.records(InflateLimit::default())? {
        let record = record?;
        if record.offset < from {
            continue;
        }
        if let Some(key) = &record.key
            && !map.put(key, record.offset)
        {
            return Ok(Some(record.offset));
        }
    }
    Ok(None)
}

/// All aborted transactions whose marker is in one of `segments`.
pub(crate) fn aborted(segments: &[Arc<Segment>]) -> io::Result<Vec<AbortedTransaction>> {
    let mut aborted = Vec::new();
    for segment in segments {
        aborted.extend(segment.aborts().entries()?);
    }
    Ok(aborted)
}

/// A segment that is to replace others. Its files have the suffix `.cleaned` and are synced.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) segment: Segment,
    pub(crate) kinds: Vec<Kind>,
}

/// Writes what `filter` leaves of `sources` into one new segment.
///
/// # Errors
/// Files may be left behind: [`discard`] removes them.
pub(crate) fn rewrite(
    disk: &Arc<dyn Disk>,
    dir: &Arc<Path>,
    sources: Sources<'_>,
    sizes: IndexSizes,
    filter: &mut Filter<'_>,
    pace: &mut dyn Pace,
) -> Result<Option<Rewritten>, CompactError> {
    let (Some(first), Some(last)) = (sources.segments.first(), sources.segments.last()) else {
        return Ok(None);
    };
    let made: Timestamp = last.created();
    let segment = Segment::create_cleaned(disk, dir, first.base, sizes, made)?;
    let mut output = Output { segment, sizes, position: 0, next: first.base, buffered: Vec::new() };
    for (source, bounds) in sources.each() {
        let start = (0, source.base);
        let mut scan = OrderedScan::new(source, start, bounds, sources.context);
        loop {
            let position = scan.position();
            let next = scan.next().map_err(|error| CompactError::scan(source.base, error))?;
            let Some(batch) = next else { break };
            let rest = filter.apply(&batch);
            let rest = rest.map_err(|error| CompactError::build(source.base, position, &error))?;
            let kept = match &rest {
                Rest::Nothing => &[][..],
                Rest::Whole => batch.bytes(),
                Rest::Changed(bytes) => bytes,
            };
            output.add(source.base, position, kept)?;
            if !pace.spend((batch.size() + kept.len()) as u64) {
                return Err(CompactError::Interrupted);
            }
        }
    }
    output.write_out()?;
    let Output { segment, position, next, .. } = output;
    segment.note_written(0, position, next);
    for aborted in filter.transactions().take_kept() {
        segment.aborts().append(aborted).map_err(io::Error::other)?;
    }
    segment.seal()?;
    segment.sync_all()?;
    let mut kinds = vec![Kind::TimeIndex, Kind::OffsetIndex, Kind::Log];
    if segment.aborts().count() > 0 {
        kinds.insert(0, Kind::TxnIndex);
    }
    Ok(Some(Rewritten { segment, kinds }))
}

/// Removes what a rewrite of the segment at `base` may have left behind, as far as that can be
/// done; the next start removes the rest.
pub(crate) fn discard(disk: &dyn Disk, dir: &Path, base: Offset) {
    for kind in Kind::ALL {
        // Most are not there.
        let _ = disk.remove_file(&dir.join(name::file_name(base, kind) + CLEANED));
    }
}

struct Output {
    segment: Segment,
    sizes: IndexSizes,
    /// Where the next batch goes, the buffer counted.
    position: u64,
    /// The offset behind the last batch.
    next: Offset,
    buffered: Vec<u8>,
}

impl Output {
    /// Adds a batch, which is what is left of the one at `origin` of the segment `source`.
    fn add(&mut self, source: Offset, origin: u64, batch: &[u8]) -> Result<(), CompactError> {
        if batch.is_empty() {
            return Ok(());
        }
        let header = BatchHeader::read(batch)
            .map_err(|error| CompactError::build(source, origin, &error.into()))?;
        let located = Located { position: self.position, header };
        self.segment.note(&located, self.sizes.interval);
        self.position += batch.len() as u64;
        self.next = header.last_offset().next();
        self.buffered.extend_from_slice(batch);
        if self.buffered.len() >= WRITE_BYTES { Ok(self.write_out()?) } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.buffered.is_empty() {
            return Ok(());
        }
        let from = self.position - self.buffered.len() as u64;
        let written = self.segment.write(&mut [IoSlice::new(&self.buffered)], from);
        // Nobody reads it yet, so that a torn one is as good as none.
        written.map_err(|error| match error {
            WriteError::Undone(error) | WriteError::Torn { error, .. } => error,
        })?;
        self.buffered.clear();
        self.segment.publish(self.position);
        Ok(())
    }
}

/// Batches are written this many bytes at a time.
const WRITE_BYTES: usize = 1 << 20;
