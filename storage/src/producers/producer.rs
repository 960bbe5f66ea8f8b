//! One producer: its epoch, its last batches, its open transaction.

use std::collections::VecDeque;

use milena_protocol::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{Check, EndMarker, MarkerCheck, Origin, ProducerBatch, SnapshotEntry};

/// A batch that a producer has in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenBatch {
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// Last minus first offset, and last minus first sequence.
    pub offset_delta: i32,
    pub timestamp: Timestamp,
}

impl WrittenBatch {
    pub(super) fn new(batch: &ProducerBatch, first: Offset, last: Offset) -> Self {
        Self {
            last_sequence: batch.last_sequence,
            last_offset: last,
            // A batch's offsets span an i32; one that does not was refused long before.
            offset_delta: i32::try_from(last.0 - first.0).unwrap_or(i32::MAX),
            timestamp: batch.max_timestamp,
        }
    }

    pub fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }

    /// Sequences go from 0 to 2^31-1 and round.
    pub fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        i32::try_from(first.rem_euclid(SEQUENCES)).unwrap_or(NO_SEQUENCE)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Producer {
    pub(super) epoch: ProducerEpoch,
    /// Of the last end marker.
    coordinator_epoch: i32,
    /// Of the last batch or marker, which its writer chose.
    last_timestamp: Timestamp,
    /// When that came, by our clock: what expiry goes by.
    pub(super) last_seen: Timestamp,
    /// First offset of the open transaction.
    pub(super) open_since: Option<Offset>,
    /// When that came, by our clock.
    pub(super) opened: Timestamp,
    /// The last ones of this epoch, oldest first.
    batches: VecDeque<WrittenBatch>,
}

impl Producer {
    pub(super) fn unknown() -> Self {
        Self {
            epoch: ProducerEpoch::NONE,
            coordinator_epoch: NO_COORDINATOR,
            last_timestamp: Timestamp::NONE,
            last_seen: Timestamp::NONE,
            open_since: None,
            opened: Timestamp::NONE,
            batches: VecDeque::new(),
        }
    }

    pub(super) fn from_entry(entry: &SnapshotEntry, now: Timestamp) -> Self {
        Self {
            epoch: entry.epoch,
            coordinator_epoch: entry.coordinator_epoch,
            last_timestamp: entry.timestamp,
            last_seen: now,
            open_since: entry.open_since,
            opened: now,
            batches: entry.last_batch.into_iter().collect(),
        }
    }

    pub(super) fn to_entry(&self, producer: ProducerId) -> SnapshotEntry {
        SnapshotEntry {
            producer,
            epoch: self.epoch,
            last_batch: self.batches.back().copied(),
            timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            open_since: self.open_since,
        }
    }

    pub(super) fn add(
        &mut self,
        batch: &ProducerBatch,
        first: Offset,
        last: Offset,
        now: Timestamp,
    ) {
        self.enter(batch.epoch);
        if self.batches.len() == BATCHES_KEPT {
            self.batches.pop_front();
        }
        self.batches.push_back(WrittenBatch::new(batch, first, last));
        self.last_timestamp = batch.max_timestamp;
        self.last_seen = now;
    }

    /// Puts a batch from before the last one, the latest of those, back among the ones known.
    pub(super) fn recall(&mut self, epoch: ProducerEpoch, batch: WrittenBatch) {
        let earlier = self.batches.back().is_some_and(|last| batch.last_offset < last.last_offset);
        if epoch != self.epoch || !earlier {
            return;
        }
        self.batches.insert(self.batches.len() - 1, batch);
        if self.batches.len() > BATCHES_KEPT {
            self.batches.pop_front();
        }
    }

    /// Returns where the transaction began.
    pub(super) fn end_transaction(&mut self, marker: &EndMarker, now: Timestamp) -> Option<Offset> {
        self.enter(marker.epoch);
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = marker.timestamp;
        self.last_seen = now;
        self.open_since.take()
    }

    pub(super) fn is_idle_since(&self, then: Timestamp) -> bool {
        self.open_since.is_none() && self.last_seen <= then
    }

    /// The batch with exactly these sequences.
    pub(super) fn find(&self, batch: &ProducerBatch) -> Option<WrittenBatch> {
        let same = |written: &&WrittenBatch| {
            written.first_sequence() == batch.first_sequence
                && written.last_sequence == batch.last_sequence
        };
        if batch.epoch == self.epoch { self.batches.iter().find(same).copied() } else { None }
    }

    pub(super) fn check(&self, batch: &ProducerBatch, origin: Origin) -> Check {
        if batch.epoch < self.epoch {
            return Check::Fenced { current: self.epoch };
        }
        if origin.is_producer() && !self.is_next(batch) {
            return Check::OutOfOrder { last: self.last_sequence(), first: batch.first_sequence };
        }
        if self.open_since.is_some() && !batch.transactional {
            return Check::InTransaction;
        }
        Check::Accept
    }

    pub(super) fn check_marker(&self, marker: &EndMarker, origin: Origin) -> MarkerCheck {
        // A marker that bumps the epoch and comes again ends nothing; with records of this epoch
        // it would be the end of another transaction than theirs.
        let late = origin == Origin::BumpingCoordinator
            && marker.epoch == self.epoch
            && self.open_since.is_some();
        if marker.epoch < self.epoch || late {
            MarkerCheck::Fenced { current: self.epoch }
        } else if marker.coordinator_epoch < self.coordinator_epoch {
            MarkerCheck::CoordinatorFenced { current: self.coordinator_epoch }
        } else {
            MarkerCheck::Accept
        }
    }

    /// A new epoch begins at 0; within one, each batch begins after the last.
    fn is_next(&self, batch: &ProducerBatch) -> bool {
        let expected = if batch.epoch == self.epoch {
            (i64::from(self.last_sequence()) + 1) % SEQUENCES
        } else {
            0
        };
        i64::from(batch.first_sequence) == expected
    }

    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn enter(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }
}

/// As many as a producer may have in flight (`max.in.flight.requests.per.connection`).
const BATCHES_KEPT: usize = 5;
pub(super) const NO_SEQUENCE: i32 = -1;
const NO_COORDINATOR: i32 = -1;
const SEQUENCES: i64 = 1 << 31;
