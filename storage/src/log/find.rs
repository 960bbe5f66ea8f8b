//! Lookups by time. At most one batch is inflated.

use std::sync::Arc;

use milena_protocol::{Offset, Timestamp, compression::InflateLimit, records::Record};

use super::{FoundOffset, Log, ReadError, read::read_error};
use crate::{
    index::TimeEntry,
    segment::{Bounds, Located, ScanError, Segment},
};

impl Log {
    /// The first record, in order of offsets, with this time or a later one; none at or behind
    /// `upper`.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn find_by_timestamp(
        &self,
        at_least: Timestamp,
        upper: Offset,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let (segments, start, end) = self.search_view()?;
        for part in &segments {
            let segment = &part.segment;
            if segment.newest().is_none_or(|newest| newest.timestamp < at_least) {
                continue;
            }
            let found = self
                .first_batch_as_late(part, at_least, start)
                .map_err(|error| read_error(start, segment.base, error))?;
            let Some(batch) = found else { continue };
            if batch.header.base_offset >= upper {
                return Ok(None);
            }
            let wanted = |record: &Record| record.timestamp >= at_least && record.offset >= start;
            if let Some(found) = self.find_record(part, &batch, wanted)? {
                return Ok(Some(found).filter(|found| found.offset < upper.min(end)));
            }
            // The batch straddles the log's start and only what is gone was late enough, or its
            // header claims more than it holds: the next ones may have it.
            let from = batch.header.last_offset().next();
            if let Some(found) = self.walk_for(part, from, at_least)? {
                return Ok(Some(found).filter(|found| found.offset < upper.min(end)));
            }
        }
        Ok(None)
    }

    /// The first record that has the greatest timestamp of all.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn max_timestamp(&self) -> Result<Option<FoundOffset>, ReadError> {
        let (segments, start, _) = self.search_view()?;
        let newest = segments.iter().filter_map(|part| Some((part, part.segment.newest()?)));
        let newest = newest.filter(|(_, newest)| newest.timestamp > Timestamp::NONE);
        // Of equal ones the first.
        let best = newest.rev().max_by_key(|(_, newest)| newest.timestamp);
        let Some((part, TimeEntry { timestamp, offset: last_offset })) = best else {
            return Ok(None);
        };
        let batch = part
            .segment
            .find_in_order(last_offset, part.bounds, &self.context(self.gaps_below()))
            .map_err(|error| read_error(last_offset, part.segment.base, error))?;
        let Some(batch) = batch else { return Ok(None) };
        self.find_record(part, &batch, |record| {
            record.timestamp == timestamp && record.offset >= start
        })
    }

    /// All segments, and the log's bounds.
    fn search_view(&self) -> Result<(Vec<Part>, Offset, Offset), ReadError> {
        self.check_online()?;
        let state = self.state();
        let following = state.segments.iter().skip(1).map(|segment| Some(segment.base));
        let following = following.chain([None]);
        let parts = state.segments.iter().zip(following).map(|(segment, following)| Part {
            segment: Arc::clone(segment),
            bounds: state.bounds(segment, following),
        });
        Ok((parts.collect(), state.start, state.end.offset))
    }

    /// The first batch of a segment that ends at or behind `start` and has a record as late.
    fn first_batch_as_late(
        &self,
        Part { segment, bounds }: &Part,
        at_least: Timestamp,
        start: Offset,
    ) -> Result<Option<Located>, ScanError> {
        let enter = segment.before(at_least)?.max(start);
        let context = self.context(self.gaps_below());
        let first = segment.find_in_order(enter, *bounds, &context)?;
        let Some(first) = first else { return Ok(None) };
        let mut scan = segment.scan(first.position, bounds.position);
        while let Some(batch) = scan.next()? {
            if batch.header.max_timestamp >= at_least {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn walk_for(
        &self,
        part: &Part,
        from: Offset,
        at_least: Timestamp,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let Part { segment, bounds } = part;
        let named = |error| read_error(from, segment.base, error);
        let context = self.context(self.gaps_below());
        let first = segment.find_in_order(from, *bounds, &context).map_err(named)?;
        let Some(first) = first else { return Ok(None) };
        let mut scan = segment.scan(first.position, bounds.position);
        while let Some(batch) = scan.next().map_err(named)? {
            if batch.header.max_timestamp < at_least {
                continue;
            }
            let late = |record: &Record| record.timestamp >= at_least;
            if let Some(found) = self.find_record(part, &batch, late)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_record(
        &self,
        Part { segment, bounds }: &Part,
        located: &Located,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let named = |error| read_error(located.header.base_offset, segment.base, error);
        let corrupt = || ReadError::Corrupt {
            offset: located.header.base_offset,
            segment: segment.base,
            position: located.position,
        };
        let context = || self.context(self.gaps_below());
        segment.check_in_order(located, *bounds, context).map_err(named)?;
        let batch = segment.read(located).map_err(named)?;
        // What was accepted was not inflated then, and may be of any ratio.
        let limit = InflateLimit { ratio_max: usize::MAX, ..InflateLimit::default() };
        for record in batch.records(limit).map_err(|_| corrupt())? {
            let record = record.map_err(|_| corrupt())?;
            if wanted(&record) {
                return Ok(Some(FoundOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: batch.leader_epoch(),
                }));
            }
        }
        Ok(None)
    }
}

/// A segment, as far as it is published.
#[derive(Debug)]
struct Part {
    segment: Arc<Segment>,
    bounds: Bounds,
}
