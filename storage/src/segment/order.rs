//! What batches tell about each other. No checksum covers a batch's base offset and leader epoch,
//! because brokers set them; but the batch before it tells where it begins, and the log knows where
//! each leader's records begin.
//!
//! Where no record is missing, a batch begins where the one before it ends. Where compaction has
//! been, no earlier than there and so that the next one fits behind it: a wrong offset that lies in
//! a gap is not noticed.

use std::{io, sync::Arc};

use milena_protocol::{
    LeaderEpoch, Offset,
    records::{Batch, BatchError, BatchHeader, HEADER_BYTES},
};
use tracing::error;

use super::{Located, ScanError, Segment, WholeScan, known::Span};
use crate::{
    epochs::EpochCache,
    planted::{Bug, is_planted},
};

/// What is known of a log's batches from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Below, records may be missing that compaction has dropped.
    pub(crate) gaps_below: Offset,
    pub(crate) epochs: EpochCache,
}

/// A segment's batches as far as they may be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) position: u64,
    /// No batch reaches this offset.
    pub(crate) offset: Offset,
}

/// What stands before a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// The offset behind what came before.
    pub(crate) expected: Offset,
    /// The epoch of the batch before, if the log's own list of epochs has another one there.
    contradicts: Option<LeaderEpoch>,
}

impl Before {
    /// Before one that is known to begin at this offset.
    pub(crate) fn a_batch_at(offset: Offset) -> Self {
        Self { expected: offset, contradicts: None }
    }

    fn is_whole(self, context: &Context) -> bool {
        self.expected >= context.gaps_below
    }
}

impl Context {
    /// What stands behind a batch, if it fits in. `next` reads the header behind it, where there is
    /// one; that is needed only where the batch itself leaves a doubt.
    fn follow(
        &self,
        before: Before,
        batch: &BatchHeader,
        end: Offset,
        next: impl FnOnce() -> Option<BatchHeader>,
    ) -> Option<Before> {
        let behind = batch.last_offset().next();
        let gap = batch.base_offset > before.expected;
        if batch.base_offset < before.expected || behind > end || (gap && before.is_whole(self)) {
            return None;
        }
        let contradicts = self.contradicts(batch).then_some(batch.leader_epoch);
        // Two batches that agree are not both damaged: the list is, which has no checksum.
        let alone = contradicts.is_some() && contradicts != before.contradicts;
        if gap || alone {
            let next = next();
            // It hides where the next one is, which would fit in its place.
            let too_high =
                |next: &BatchHeader| (before.expected..behind).contains(&next.base_offset);
            let agrees = |next: &BatchHeader| {
                next.leader_epoch == batch.leader_epoch && self.contradicts(next)
            };
            if (gap && next.as_ref().is_some_and(too_high))
                || (alone && !next.as_ref().is_some_and(agrees))
            {
                return None;
            }
        }
        Some(Before { expected: behind, contradicts })
    }

    /// Whether the list of epochs has another one for this batch. It may not reach back so far.
    fn contradicts(&self, batch: &BatchHeader) -> bool {
        let noted = self.epochs.epoch_of(batch.last_offset());
        batch.leader_epoch != LeaderEpoch::UNKNOWN
            && noted.is_some_and(|noted| noted != batch.leader_epoch)
    }
}

impl Segment {
    /// Whether these positions need not be looked at any more.
    pub(crate) fn is_known(&self, from: u64, to: u64) -> bool {
        self.known.covers(from..to)
    }

    /// Notes that what was just written is right; `next` is the offset behind it.
    pub(crate) fn note_written(&self, from: u64, to: u64, next: Offset) {
        self.known.append(Span { from, to, after: Before::a_batch_at(next) });
    }

    /// As [`Segment::find`], but believes no header before those around it agree.
    pub(crate) fn find_in_order(
        &self,
        offset: Offset,
        bounds: Bounds,
        context: &Context,
    ) -> Result<Option<Located>, ScanError> {
        let generation = self.known.generation();
        let (mut from, mut before) = self.entrance(offset, bounds)?;
        let mut scan = self.scan(from, bounds.position);
        while let Some(batch) = scan.next().map_err(|error| self.tell(error, before))? {
            let next = || scan.peek();
            if let Some(after) = context.follow(before, &batch.header, bounds.offset, next) {
                before = after;
                if batch.header.last_offset() >= offset {
                    self.known.note(Span { from, to: batch.end(), after }, generation);
                    return Ok(Some(batch));
                }
                continue;
            }
            // Where nothing is missing it is known what it should hold. If that is not what is
            // looked for, those behind it are as good as they were.
            let behind = before.expected.plus(batch.header.last_offset_delta.into()).next();
            if !before.is_whole(context) || behind > offset {
                return Err(self.out_of_order(batch.position, &batch.header, before));
            }
            (from, before) = (batch.end(), Before::a_batch_at(behind));
        }
        if before.is_whole(context) && offset < bounds.offset {
            let what = BatchError::Truncated { have: 0, need: HEADER_BYTES };
            let missing = ScanError::Bad { position: bounds.position, what };
            return Err(self.tell(missing, before));
        }
        Ok(None)
    }

    /// Up to where the batches from `first` on, which is right, are right as well; at most `end`,
    /// where one ends.
    pub(crate) fn right_until(
        &self,
        first: &Located,
        end: u64,
        bounds: Bounds,
        context: &Context,
    ) -> io::Result<u64> {
        let generation = self.known.generation();
        let mut at = first.position;
        let mut before = Before::a_batch_at(first.header.base_offset);
        loop {
            (at, before) = self.known.end_of(at).unwrap_or((at, before));
            if at >= end {
                return Ok(end);
            }
            let stop = self.known.next_behind(at).map_or(end, |next| next.min(end));
            let mut scan = self.scan(at, bounds.position);
            let from = at;
            while at < stop {
                let batch = match scan.next() {
                    Ok(batch) => batch.filter(|batch| batch.end() <= stop),
                    Err(ScanError::Io(error)) => return Err(error),
                    Err(ScanError::Bad { .. }) => None,
                };
                let after = batch.as_ref().and_then(|batch| {
                    context.follow(before, &batch.header, bounds.offset, || scan.peek())
                });
                let (Some(batch), Some(after)) = (batch, after) else {
                    self.known.note(Span { from, to: at, after: before }, generation);
                    return Ok(at);
                };
                (at, before) = (batch.end(), after);
            }
            self.known.note(Span { from, to: at, after: before }, generation);
        }
    }

    /// Whether the offset of a batch that was found in another way is right.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn check_in_order(
        &self,
        batch: &Located,
        bounds: Bounds,
        context: impl FnOnce() -> Context,
    ) -> Result<(), ScanError> {
        if self.is_known(batch.position, batch.end()) {
            return Ok(());
        }
        let right = self.find_in_order(batch.header.base_offset, bounds, &context())?;
        if right.is_some_and(|right| right.position == batch.position) {
            Ok(())
        } else {
            let before = Before::a_batch_at(batch.header.base_offset);
            Err(self.out_of_order(batch.position, &batch.header, before))
        }
    }

    /// Where to begin to look for an offset: the start of a batch that is known to be in its place.
    fn entrance(&self, offset: Offset, bounds: Bounds) -> io::Result<(u64, Before)> {
        let hint = self.hint(offset);
        let position = u64::from(hint.position);
        let mut entrance = (0, Before::a_batch_at(self.base));
        if position > 0 && position < bounds.position {
            match self.scan(position, bounds.position).next() {
                Ok(Some(batch))
                    if batch.header.last_offset() == hint.offset
                        || is_planted(Bug::IndexTrusted) =>
                {
                    entrance = (position, Before::a_batch_at(batch.header.base_offset));
                }
                Err(ScanError::Io(error)) => return Err(error),
                _ => {}
            }
        }
        let known = self.known.last_before(offset, bounds.position);
        let known = known.filter(|known| known.to > entrance.0);
        Ok(known.map_or(entrance, |known| (known.to, known.after)))
    }

    /// Damage is told of once, and not with each read that meets it.
    fn tell(&self, error: ScanError, before: Before) -> ScanError {
        if let ScanError::Bad { position, what } = &error
            && self.known.is_news(*position)
        {
            error!(dir = %self.dir.display(), base = self.base.0, position,
                expected = before.expected.0, %what, "damaged batch, which is not served");
        }
        error
    }

    fn out_of_order(&self, position: u64, header: &BatchHeader, before: Before) -> ScanError {
        let BatchHeader { base_offset: Offset(base_offset), last_offset_delta, .. } = *header;
        if self.known.is_news(position) {
            error!(dir = %self.dir.display(), base = self.base.0, position,
                expected = before.expected.0, offset = base_offset, epoch = header.leader_epoch.0,
                "batch out of its place, which is not served");
        }
        let what = BatchError::BadOffsets { base_offset, last_offset_delta };
        ScanError::Bad { position, what }
    }
}

/// Batches read whole and checked, each in its place.
pub(crate) struct OrderedScan<'a> {
    segment: &'a Segment,
    scan: WholeScan,
    before: Before,
    bounds: Bounds,
    context: &'a Context,
}

impl<'a> OrderedScan<'a> {
    /// From a position where the batch with this offset starts, or one behind it.
    pub(crate) fn new(
        segment: &'a Segment,
        (position, offset): (u64, Offset),
        bounds: Bounds,
        context: &'a Context,
    ) -> Self {
        let scan = WholeScan::new(Arc::clone(segment.file()), position, bounds.position);
        Self { segment, scan, before: Before::a_batch_at(offset), bounds, context }
    }

    pub(crate) fn position(&self) -> u64 {
        self.scan.position()
    }

    /// The batch at the current position; the position moves behind it. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, ScanError> {
        let position = self.scan.position();
        let Some(batch) = self.scan.next()? else { return Ok(None) };
        let next = || self.segment.scan(self.scan.position(), self.bounds.position).peek();
        let after = self.context.follow(self.before, batch.header(), self.bounds.offset, next);
        self.before = after
            .ok_or_else(|| self.segment.out_of_order(position, batch.header(), self.before))?;
        Ok(Some(batch))
    }
}
