//! Reads a segment from its start, or from a batch that its index knows: by headers where it was
//! synced, whole where it may not have been.

use std::{io, sync::Arc};

use milena_protocol::{Offset, records::BatchHeader};

use crate::{
    planted::{Bug, is_planted},
    segment::{Located, ScanError, Segment, WholeScan},
};

#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) segment: &'a Segment,
    /// The batch to begin behind, if not at the segment's start.
    pub(super) behind: Option<Located>,
    /// Batches that end below are not read whole.
    pub(super) trusted_below: Offset,
    /// Behind, each batch read whole starts where the one before it ended.
    pub(super) gaps_below: Offset,
}

/// Where a walk ended: at the segment's end, or before the first batch that is not as it should
/// be.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) position: u64,
    /// The offset that the next batch would have.
    pub(super) expected: Offset,
    pub(super) damage: Option<String>,
    pub(super) batches_passed: u64,
    pub(super) batches_checked: u64,
    pub(super) bytes_checked: u64,
}

impl Walk<'_> {
    pub(super) fn run(&self, mut seen: impl FnMut(&Located)) -> io::Result<Stop> {
        let end = self.segment.size();
        let mut stop = Stop {
            position: self.behind.as_ref().map_or(0, Located::end),
            expected: self
                .behind
                .as_ref()
                .map_or(self.segment.base, |batch| batch.header.last_offset().next()),
            damage: None,
            batches_passed: 0,
            batches_checked: 0,
            bytes_checked: 0,
        };
        let mut scan = self.segment.scan(stop.position, end);
        while stop.expected < self.trusted_below {
            match scan.next() {
                Ok(None) => return Ok(stop),
                Ok(Some(batch)) if batch.header.base_offset < stop.expected => {
                    return Ok(stop.damaged(out_of_place(&batch.header)));
                }
                // Reaches beyond what was synced, so it is not one that was.
                Ok(Some(batch)) if batch.header.last_offset() >= self.trusted_below => break,
                Ok(Some(batch)) => {
                    seen(&batch);
                    stop.pass(&batch);
                    stop.batches_passed += 1;
                }
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { what, .. }) => return Ok(stop.damaged(what.to_string())),
            }
        }
        self.verify(stop, end, seen)
    }

    fn verify(&self, mut stop: Stop, end: u64, mut seen: impl FnMut(&Located)) -> io::Result<Stop> {
        if stop.position < end && !is_planted(Bug::RecoveredNotSynced) {
            // What an fsync failed to write in an earlier run may still look well in memory, and
            // passes for written. All else was synced before.
            self.segment.file().forget_cached(stop.position)?;
        }
        let mut scan = WholeScan::new(Arc::clone(self.segment.file()), stop.position, end);
        loop {
            let batch = match scan.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(stop),
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { what, .. }) => return Ok(stop.damaged(what.to_string())),
            };
            let header = batch.header();
            let gap = header.base_offset > stop.expected && stop.expected >= self.gaps_below;
            if header.base_offset < stop.expected || gap {
                return Ok(stop.damaged(out_of_place(header)));
            }
            let located = Located { position: stop.position, header: *header };
            seen(&located);
            stop.pass(&located);
            stop.batches_checked += 1;
            stop.bytes_checked += batch.size() as u64;
        }
    }
}

impl Stop {
    fn pass(&mut self, batch: &Located) {
        self.position = batch.end();
        self.expected = batch.header.last_offset().next();
    }

    fn damaged(self, reason: String) -> Self {
        Self { damage: Some(reason), ..self }
    }
}

fn out_of_place(header: &BatchHeader) -> String {
    format!("a batch with offset {}", header.base_offset.0)
}
