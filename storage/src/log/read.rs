//! Reading: from an offset to ranges of a file.

use std::sync::Arc;

use milena_protocol::{
    Offset,
    wire::{Range, Records},
};

use super::{Log, Mark, ReadError, State};
use crate::segment::{ScanError, Segment};

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
}

impl Log {
    /// Finds the batches from `from` on, within the limits and within one segment. Reading at the
    /// end, or at the upper limit, finds none.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] outside the log's bounds; damage is named, not skipped.
    pub fn read(&self, from: Offset, limits: ReadLimits) -> Result<ReadResult, ReadError> {
        self.check_online()?;
        let view = View::of(&self.state(), from, limits.upper)?;
        let (log_start, end) = (view.log_start, view.end);
        let found =
            view.find(limits).map_err(|(segment, error)| read_error(from, segment, error))?;
        let (records, bytes, goes_on) = match found {
            Some((range, goes_on)) => (Records::from(range.clone()), range.len, goes_on),
            None => (Records::default(), 0, false),
        };
        Ok(ReadResult { records, bytes, goes_on, log_start, end })
    }
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
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    segment: Arc<Segment>,
    limit: Limit,
    /// The segment behind it has something below the upper offset.
    followed: bool,
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
    fn of(state: &State, from: Offset, upper: Offset) -> Result<Self, ReadError> {
        let (log_start, end) = (state.start, state.end.offset);
        if from < log_start || from > end {
            return Err(ReadError::OutOfRange { requested: from, start: log_start, end });
        }
        let upper = upper.min(end);
        let mut view = Self { from, upper, log_start, end, parts: Vec::new() };
        if from >= upper {
            return Ok(view);
        }
        let holding = state.segments.partition_point(|segment| segment.base <= from);
        let mut rest = state.segments.iter().skip(holding.saturating_sub(1)).peekable();
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
            let followed = following.is_some_and(|base| base < upper);
            view.parts.push(Part { segment: Arc::clone(segment), limit, followed });
            // A second one is needed only where this one holds nothing from `from` on, which
            // happens if compaction took the end of it.
            if view.parts.len() == PARTS_MAX {
                break;
            }
        }
        Ok(view)
    }

    /// What there is to read, and whether that goes on in the next segment.
    fn find(self, limits: ReadLimits) -> Result<Option<(Range, bool)>, (Offset, ScanError)> {
        for part in &self.parts {
            let found = part.find(self.from, self.upper, limits);
            if let Some(range) = found.map_err(|error| (part.segment.base, error))? {
                let end = range.position.saturating_add(range.len as u64);
                let goes_on = part.followed && end == part.segment.size();
                return Ok(Some((range, goes_on)).filter(|(range, _)| range.len > 0));
            }
        }
        Ok(None)
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
        let end = if end <= allowed {
            end
        } else if first.end() <= allowed {
            segment.last_boundary(first.position, allowed)?
        } else if limits.at_least_one {
            first.end()
        } else {
            first.position
        };
        let len = usize::try_from(end - first.position).unwrap_or(usize::MAX);
        let source = Arc::clone(segment.file()).as_source();
        Ok(Some(Range { source, position: first.position, len }))
    }
}

impl State {
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

/// Segments that one read looks into.
const PARTS_MAX: usize = 8;
