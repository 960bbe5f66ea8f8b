//! Lookups by time. At most one batch is inflated.

use std::sync::Arc;

use milena_protocol::{Offset, Timestamp, compression::InflateLimit, records::Record};

use super::{FoundOffset, Log, ReadError, read::read_error};
use crate::{
    index::TimeEntry,
    segment::{Located, ScanError, Segment},
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
        for Part { segment, size } in &segments {
            if segment.newest().is_none_or(|newest| newest.timestamp < at_least) {
                continue;
            }
            let found = first_batch_as_late(segment, *size, at_least, start)
                .map_err(|error| read_error(start, segment.base, error))?;
            let Some(batch) = found else { continue };
            if batch.header.base_offset >= upper {
                return Ok(None);
            }
            let wanted = |record: &Record| record.timestamp >= at_least && record.offset >= start;
            if let Some(found) = self.find_record(segment, &batch, wanted)? {
                return Ok(Some(found).filter(|found| found.offset < upper.min(end)));
            }
            // The batch straddles the log's start and only what is gone was late enough, or its
            // header claims more than it holds: the next ones may have it.
            let from = batch.header.last_offset().next();
            if let Some(found) = self.walk_for(segment, *size, from, at_least)? {
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
        let Some((Part { segment, size }, TimeEntry { timestamp, offset: last_offset })) = best
        else {
            return Ok(None);
        };
        let batch = segment
            .find(last_offset, *size)
            .map_err(|error| read_error(last_offset, segment.base, error))?;
        let Some(batch) = batch else { return Ok(None) };
        self.find_record(segment, &batch, |record| {
            record.timestamp == timestamp && record.offset >= start
        })
    }

    /// All segments, and the log's bounds.
    fn search_view(&self) -> Result<(Vec<Part>, Offset, Offset), ReadError> {
        self.check_online()?;
        let state = self.state();
        let parts = state.segments.iter().map(|segment| {
            let active = state.end.segment == segment.base;
            let size = if active { state.end.position } else { segment.size() };
            Part { segment: Arc::clone(segment), size }
        });
        Ok((parts.collect(), state.start, state.end.offset))
    }

    fn walk_for(
        &self,
        segment: &Segment,
        size: u64,
        from: Offset,
        at_least: Timestamp,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let named = |error| read_error(from, segment.base, error);
        let Some(first) = segment.find(from, size).map_err(named)? else { return Ok(None) };
        let mut scan = segment.scan(first.position, size);
        while let Some(batch) = scan.next().map_err(named)? {
            if batch.header.max_timestamp < at_least {
                continue;
            }
            let late = |record: &Record| record.timestamp >= at_least;
            if let Some(found) = self.find_record(segment, &batch, late)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_record(
        &self,
        segment: &Segment,
        located: &Located,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let corrupt = || ReadError::Corrupt {
            offset: located.header.base_offset,
            segment: segment.base,
            position: located.position,
        };
        let batch = segment
            .read(located)
            .map_err(|error| read_error(located.header.base_offset, segment.base, error))?;
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
    size: u64,
}

/// The first batch of a segment that ends at or behind `start` and has a record as late.
fn first_batch_as_late(
    segment: &Segment,
    size: u64,
    at_least: Timestamp,
    start: Offset,
) -> Result<Option<Located>, ScanError> {
    let enter = segment.before(at_least)?.max(start);
    let Some(first) = segment.find(enter, size)? else { return Ok(None) };
    let mut scan = segment.scan(first.position, size);
    while let Some(batch) = scan.next()? {
        if batch.header.max_timestamp >= at_least {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}
