//! Reading: from an offset to ranges of a file.

use std::{io, sync::Arc};

use milena_protocol::{
    Offset,
    wire::{Range, Records},
};

use super::{
    Log, ReadError,
    state::{Mark, State},
};
use crate::{
    index::AbortedTransaction,
    segment::{Bounds, Context, Located, ScanError, Segment},
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
    /// They end where their segment does, and the next one has more below the upper offset, or
    /// before damage: a reader that wants more gets it, or is told, by reading on, not by waiting.
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
    /// Offsets and epochs, which no checksum covers, are held against those around them; once, and
    /// not where this process wrote them.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] outside the log's bounds; damage is named, not skipped.
    pub fn read(&self, from: Offset, limits: ReadLimits) -> Result<ReadResult, ReadError> {
        self.check_online()?;
        let (view, gaps_below) = {
            let state = self.state();
            (View::of(&state, from, limits.upper)?, self.gaps_below())
        };
        view.read(limits, &|| self.context(gaps_below)).map(|(result, _)| result)
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
            let (view, indexed, gaps_below) = {
                let state = self.state();
                // At one moment: compaction leaves out what the lists no longer tell.
                let view = View::of(&state, from, limits.upper)?;
                (view, state.with_aborts(from), self.gaps_below())
            };
            let (mut result, behind) = view.read(limits, &|| self.context(gaps_below))?;
            if indexed.is_empty() {
                return Ok(result);
            }
            let Some(behind) = behind else { return Ok(result) };
            match aborted_in(&indexed, from, behind.bound()) {
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
    limit: Limit,
    bounds: Bounds,
    /// The base of the segment behind it.
    next: Option<Offset>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Position(u64),
    /// Where the first batch lies that reaches the upper offset.
    Search,
}

impl View {
    fn of(state: &State, from: Offset, upper: Offset) -> Result<Self, ReadError> {
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
            let bounds = state.bounds(segment, following);
            let limit = match following {
                Some(base) if base <= upper => Limit::Position(bounds.position),
                _ => state.limit(segment, upper),
            };
            let Some(place) = places.next() else { break };
            *place = Some(Part { segment: Arc::clone(segment), limit, bounds, next: following });
        }
        Ok(view)
    }

    /// What there is to read, and what is behind it.
    fn read(
        self,
        limits: ReadLimits,
        context: &dyn Fn() -> Context,
    ) -> Result<(ReadResult, Option<Behind>), ReadError> {
        let mut result = ReadResult {
            records: Records::default(),
            bytes: 0,
            goes_on: false,
            log_start: self.log_start,
            end: self.end,
            aborted: Vec::new(),
        };
        for part in self.parts.iter().flatten() {
            let found = part.read(self.from, self.upper, limits, context);
            let found = found.map_err(|error| read_error(self.from, part.segment.base, error))?;
            let Some(found) = found else { continue };
            if found.end == found.first {
                break;
            }
            let more = part.next.is_some_and(|next| next < self.upper);
            result.goes_on = found.cut_short || (more && found.end == part.segment.size());
            let (end, range) = (found.end, found.range(&part.segment));
            result.bytes = range.len;
            result.records = Records::from(range);
            let segment = Arc::clone(&part.segment);
            let upper = part.next.unwrap_or(self.upper).min(self.upper);
            return Ok((result, Some(Behind { segment, end, upper })));
        }
        Ok((result, None))
    }
}

/// The place where a read ended.
#[derive(Debug)]
struct Behind {
    segment: Arc<Segment>,
    end: u64,
    upper: Offset,
}

impl Behind {
    /// An offset behind all that was read.
    fn bound(&self) -> Offset {
        self.segment.bound_at(self.end).map_or(self.upper, |bound| bound.min(self.upper))
    }
}

/// Batches of a segment, by position.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: u64,
    end: u64,
    /// What follows is damaged.
    cut_short: bool,
}

impl Stretch {
    fn range(self, segment: &Segment) -> Range {
        let len = usize::try_from(self.end - self.first).unwrap_or(usize::MAX);
        let source = Arc::clone(segment.file()).as_source();
        Range { source, position: self.first, len }
    }
}

impl Part {
    /// The batches of this segment; empty if the limits forbid the first, `None` if it has none.
    /// Only those that are in their places.
    fn read(
        &self,
        from: Offset,
        upper: Offset,
        limits: ReadLimits,
        context: &dyn Fn() -> Context,
    ) -> Result<Option<Stretch>, ScanError> {
        let segment = &self.segment;
        let found = match segment.find(from, self.searched()) {
            Err(ScanError::Bad { .. }) => None,
            found => found?,
        };
        if let Some(first) = found {
            // Of one that begins later it is to be known that nothing is missing before it.
            let alone = first.header.base_offset <= from || first.position == 0;
            let known_from = if alone { first.position } else { first.position - 1 };
            if segment.is_known(known_from, first.end()) {
                return self.stretch(&first, upper, limits, context);
            }
        }
        let bounds = Bounds { position: self.searched(), ..self.bounds };
        let Some(first) = segment.find_in_order(from, bounds, &context())? else { return Ok(None) };
        self.stretch(&first, upper, limits, context)
    }

    /// From a batch that is in its place.
    fn stretch(
        &self,
        first: &Located,
        upper: Offset,
        limits: ReadLimits,
        context: &dyn Fn() -> Context,
    ) -> Result<Option<Stretch>, ScanError> {
        let segment = &self.segment;
        let end = match self.limit {
            Limit::Position(position) => position,
            Limit::Search => {
                let reaching = segment.find(upper, self.bounds.position)?;
                reaching.map_or(self.bounds.position, |batch| batch.position)
            }
        };
        let position = first.position;
        if end <= position {
            return Ok(None);
        }
        let allowed = position.saturating_add(limits.max_bytes as u64);
        let mut cut_short = false;
        let end = if end <= allowed {
            end
        } else if first.end() <= allowed {
            match segment.last_boundary(first.clone(), allowed) {
                Err(ScanError::Bad { position: damaged, .. }) if damaged > position => {
                    cut_short = true;
                    damaged
                }
                found => found?,
            }
        } else if limits.at_least_one {
            first.end()
        } else {
            position
        };
        let right = if segment.is_known(position, end) {
            end
        } else {
            segment.right_until(first, end, self.bounds, &context())?
        };
        Ok(Some(Stretch { first: position, end: right, cut_short: cut_short || right < end }))
    }

    /// Up to where a batch may be that the read begins with.
    fn searched(&self) -> u64 {
        match self.limit {
            Limit::Position(position) => position,
            Limit::Search => self.bounds.position,
        }
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
        } else {
            Limit::Search
        }
    }

    /// The end of a segment, before the one that begins with `following`.
    pub(super) fn bounds(&self, segment: &Segment, following: Option<Offset>) -> Bounds {
        let active = self.end.segment == segment.base;
        let position = if active { self.end.position } else { segment.size() };
        Bounds { position, offset: following.unwrap_or(self.end.offset) }
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
