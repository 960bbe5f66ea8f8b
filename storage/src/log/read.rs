//! Reading: from an offset to ranges of a file.

use std::{io, sync::Arc};

use milena_protocol::{
    Offset,
    records::BatchError,
    wire::{Range, Records},
};

use super::{
    Log, ReadError,
    state::{Mark, State},
};
use crate::{
    index::AbortedTransaction,
    segment::{ScanError, Segment},
};

/// How much a read may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    pub max_bytes: usize,
    /// No batch that reaches this offset or beyond is returned.
    pub upper: Offset,
    /// Return the first batch even if it is larger than `max_bytes`, so that a reader never
    /// stands still.
    pub at_least_one: bool,
}

/// Whole batches, the first of which holds the offset asked for or is the first one behind it.
#[derive(Debug)]
pub struct ReadResult {
    /// A range of a file, not yet read; it stays readable whatever happens to the log.
    pub records: Records,
    pub bytes: usize,
    /// They end where their segment does, and the next one has more below the upper offset: a
    /// reader that wants more gets it by reading on, not by waiting.
    pub goes_on: bool,
    /// The log's bounds at the moment of the read.
    pub log_start: Offset,
    pub end: Offset,
    /// Of [`Log::read_committed`]: the transactions that were aborted and may have records among
    /// these, by first offset. A reader leaves out what each producer wrote from there on until
    /// an abort marker of its own comes.
    pub aborted: Vec<AbortedTransaction>,
}

impl Log {
    /// Finds the batches from `from` on, within the limits and within one segment. Reading at the
    /// end, or at the upper limit, finds none.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] outside the log's bounds; damage is named, not skipped.
    pub fn read(&self, from: Offset, limits: ReadLimits) -> Result<ReadResult, ReadError> {
        self.check_online()?;
        let view = View::of(&self.state(), from, limits.upper, self.is_whole_from(from))?;
        view.read(limits).map(|(result, _)| result)
    }

    /// The same for a reader that is to see committed records alone: what of the records it has to
    /// leave out comes with them. The upper limit is the last stable offset.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read_committed(
        &self,
        from: Offset,
        limits: ReadLimits,
    ) -> Result<ReadResult, ReadError> {
        let mut attempts = 0;
        loop {
            self.check_online()?;
            let (view, indexed) = {
                let state = self.state();
                // At one moment: compaction leaves out what the lists no longer tell.
                let whole = self.is_whole_from(from);
                (View::of(&state, from, limits.upper, whole)?, state.with_aborts(from))
            };
            let (mut result, upper) = view.read(limits)?;
            if result.bytes == 0 || indexed.is_empty() {
                return Ok(result);
            }
            match aborted_in(&indexed, from, upper) {
                Ok(aborted) => {
                    result.aborted = aborted;
                    return Ok(result);
                }
                // The segment went before its list was ever read.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < RETRIES_MAX => {
                    attempts += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Those with records in `from..upper`.
fn aborted_in(
    indexed: &[Arc<Segment>],
    from: Offset,
    upper: Offset,
) -> io::Result<Vec<AbortedTransaction>> {
    let mut aborted = Vec::new();
    for segment in indexed {
        let found = segment.aborts().aborted_in(from, upper)?;
        aborted.extend(found.transactions);
        if found.complete {
            break;
        }
    }
    aborted.sort_unstable_by_key(|transaction| (transaction.first, transaction.producer));
    Ok(aborted)
}

/// What one read needs of the state.
#[derive(Debug)]
struct View {
    from: Offset,
    upper: Offset,
    log_start: Offset,
    end: Offset,
    /// From the one that `from` lies in to the one that `upper` lies in, each with the position
    /// that the read ends at where that is known.
    parts: [Option<Part>; PARTS_MAX],
}

#[derive(Debug)]
struct Part {
    segment: Arc<Segment>,
    /// Every offset from the first on has a record.
    whole: bool,
    limit: Limit,
    /// The base of the segment behind it.
    next: Option<Offset>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Position(u64),
    /// Where the first batch lies that reaches the upper offset.
    Search {
        published: u64,
    },
}

impl View {
    fn of(state: &State, from: Offset, upper: Offset, whole: bool) -> Result<Self, ReadError> {
        let (log_start, end) = (state.start, state.end.offset);
        if from < log_start || from > end {
            return Err(ReadError::OutOfRange { requested: from, start: log_start, end });
        }
        let upper = upper.min(end);
        let mut view = Self { from, upper, log_start, end, parts: Default::default() };
        if from >= upper {
            return Ok(view);
        }
        let holding = state.segments.partition_point(|segment| segment.base <= from);
        let mut rest = state.segments.iter().skip(holding.saturating_sub(1)).peekable();
        // A second one is needed only where this one holds nothing from `from` on, which happens
        // if compaction took the end of it.
        let mut places = view.parts.iter_mut();
        while let Some(segment) = rest.next() {
            if segment.base >= upper {
                break;
            }
            // Compaction may have left nothing of many in a row.
            if segment.size() == 0 {
                continue;
            }
            let following = rest.peek().map(|following| following.base);
            let limit = match following {
                Some(base) if base <= upper => Limit::Position(segment.size()),
                _ => state.limit(segment, upper),
            };
            let Some(place) = places.next() else { break };
            *place = Some(Part { segment: Arc::clone(segment), whole, limit, next: following });
        }
        Ok(view)
    }

    /// What there is to read, and an offset behind it.
    fn read(self, limits: ReadLimits) -> Result<(ReadResult, Offset), ReadError> {
        let mut result = ReadResult {
            records: Records::default(),
            bytes: 0,
            goes_on: false,
            log_start: self.log_start,
            end: self.end,
            aborted: Vec::new(),
        };
        for part in self.parts.iter().flatten() {
            let found = part.find(self.from, self.upper, limits);
            let found = found.map_err(|error| read_error(self.from, part.segment.base, error))?;
            let Some(range) = found else { continue };
            if range.len == 0 {
                break;
            }
            let end = range.position.saturating_add(range.len as u64);
            let bound = part.segment.bound_at(end).or(part.next).unwrap_or(self.upper);
            result.goes_on =
                part.next.is_some_and(|next| next < self.upper) && end == part.segment.size();
            result.bytes = range.len;
            result.records = Records::from(range);
            return Ok((result, bound.min(self.upper)));
        }
        Ok((result, self.upper))
    }
}

impl Part {
    /// The batches of this segment; empty if the limits forbid the first, `None` if it has none.
    fn find(
        &self,
        from: Offset,
        upper: Offset,
        limits: ReadLimits,
    ) -> Result<Option<Range>, ScanError> {
        let segment = &self.segment;
        let known = match self.limit {
            Limit::Position(position) | Limit::Search { published: position } => position,
        };
        let Some(first) = segment.find(from, known)? else { return Ok(None) };
        if self.whole && first.header.base_offset > from {
            // No checksum covers a batch's offset.
            let what = BatchError::BadOffsets {
                base_offset: first.header.base_offset.0,
                last_offset_delta: first.header.last_offset_delta,
            };
            return Err(ScanError::Bad { position: first.position, what });
        }
        let end = match self.limit {
            Limit::Position(position) => position,
            Limit::Search { published } => {
                let reaching = segment.find(upper, published)?;
                reaching.map_or(published, |batch| batch.position)
            }
        };
        if end <= first.position {
            return Ok(None);
        }
        let allowed = first.position.saturating_add(limits.max_bytes as u64);
        let position = first.position;
        let end = if end <= allowed {
            end
        } else if first.end() <= allowed {
            segment.last_boundary(first, allowed)?
        } else if limits.at_least_one {
            first.end()
        } else {
            position
        };
        let len = usize::try_from(end - position).unwrap_or(usize::MAX);
        let source = Arc::clone(segment.file()).as_source();
        Ok(Some(Range { source, position, len }))
    }
}

impl State {
    /// From the segment that `from` lies in, those in which transactions were aborted: what lies
    /// before a marker may be anywhere before it.
    fn with_aborts(&self, from: Offset) -> Vec<Arc<Segment>> {
        let holding = self.segments.partition_point(|segment| segment.base <= from);
        let rest = self.segments.iter().skip(holding.saturating_sub(1));
        rest.filter(|segment| segment.aborts().count() > 0).map(Arc::clone).collect()
    }

    /// Where batches below `upper` end in `segment`, which holds that offset.
    fn limit(&self, segment: &Segment, upper: Offset) -> Limit {
        let is = |mark: Mark| mark.segment == segment.base && mark.offset == upper;
        if is(self.end) {
            Limit::Position(self.end.position)
        } else if is(self.flushed) {
            // Where the flush policy is to ack, this is where readers may read to.
            Limit::Position(self.flushed.position)
        } else if self.end.segment == segment.base {
            Limit::Search { published: self.end.position }
        } else {
            Limit::Search { published: segment.size() }
        }
    }
}

pub(super) fn read_error(offset: Offset, segment: Offset, error: ScanError) -> ReadError {
    match error {
        ScanError::Io(error) => ReadError::Io(error),
        ScanError::Bad { position, .. } => ReadError::Corrupt { offset, segment, position },
    }
}

/// How often a reader looks again because segments went under its hands.
const RETRIES_MAX: usize = 3;
/// Segments that one read looks into.
const PARTS_MAX: usize = 8;
