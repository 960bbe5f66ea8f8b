//! Transactions in one log: how far readers of committed records may see, what ends a transaction
//! and what may begin one.

use std::{
    io,
    sync::atomic::{AtomicI64, Ordering},
};

use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp,
    records::{BuildError, EndTxnMarker},
};

use tracing::warn;

use super::{Append, AppendError, Appended, Log, Origin};
use crate::{
    index::AbortedTransaction,
    producers::{Census, EndMarker, ProducerStates, SnapshotEntry, VerificationGuard},
    segment::Segment,
};

impl Log {
    /// Where what is decided ends, of what lies below `high_watermark`: before the first record of
    /// an open transaction, or of one whose marker is not committed itself. Takes no lock.
    ///
    /// The high watermark must have been read before the call, and [`Log::on_high_watermark`] told
    /// of each rise.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        let stable = self.stability.first_unstable().min(high_watermark);
        // Records of an open transaction may have been deleted.
        if stable < high_watermark { stable.max(self.start_offset()) } else { high_watermark }
    }

    /// Transactions whose markers lie below no longer hold the last stable offset.
    pub fn on_high_watermark(&self, high_watermark: Offset) {
        if self.stability.waits_for(high_watermark) {
            let mut writer = self.writer();
            writer.producers.on_high_watermark(high_watermark);
            self.stability.publish(&writer.producers);
        }
    }

    /// Ends the transaction that a producer has open, and fences its older epochs, whether it has
    /// one or not. `bumps` says that the marker's epoch is the one after the transaction's.
    ///
    /// # Errors
    /// As [`Log::append`]; a marker of an epoch or of a coordinator that has passed is refused.
    pub fn append_marker(
        &self,
        marker: &EndMarker,
        bumps: bool,
        append: Append,
    ) -> Result<Appended, AppendError> {
        let EndMarker { producer, epoch, coordinator_epoch, timestamp, commit } = *marker;
        let batch = EndTxnMarker { commit, coordinator_epoch }.batch(producer, epoch, timestamp);
        let batch = batch.map_err(|error: BuildError| io::Error::other(error.to_string()))?;
        let origin = if bumps { Origin::BumpingCoordinator } else { Origin::Coordinator };
        self.append(batch, Append { origin, ..append })
    }

    /// To be called before a transactional batch is appended, and its coordinator asked if there is
    /// a guard: whether the transaction is open, and this partition part of it. Then the batch is
    /// appended with [`Origin::Verified`]. `None` if the transaction has records here already.
    /// `bumps` says that each of the producer's transactions has an epoch of its own.
    pub fn begin_verification(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        first_sequence: i32,
        bumps: bool,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        self.writer().producers.begin_verification(producer, epoch, first_sequence, bumps, now)
    }

    /// Takes the questions over from `other`, which this is a copy of: what was asked about there is
    /// appended here, and no guard is used twice.
    pub(crate) fn take_verifications(&self, other: &Self) {
        let verifications = other.writer().producers.take_verifications();
        self.writer().producers.put_verifications(verifications);
    }

    pub fn census(&self) -> Census {
        self.writer().producers.census()
    }

    /// What is known of each producer, by id (DescribeProducers).
    pub fn producers(&self) -> Vec<SnapshotEntry> {
        self.writer().producers.entries().collect()
    }
}

impl Log {
    /// Lists a transaction whose marker was just written to `active`.
    pub(super) fn note_aborted(&self, active: &Segment, aborted: AbortedTransaction) {
        if let Err(error) = active.aborts().append(aborted) {
            // It is in memory, and nothing is believed to be durable before it is written.
            warn!(dir = %self.dir.display(), ?aborted, %error, "aborted transaction not written");
        }
    }

    /// Makes the aborted transactions of all segments durable that are no longer written, and
    /// returns up to where that worked, at most `flushed`: a list that is missing after a crash
    /// looks like an empty one. A full disk may end it early.
    pub(super) fn save_aborted(&self, flushed: Offset) -> io::Result<Offset> {
        let segments = self.state().segments.clone();
        let sealed = segments.len().saturating_sub(1);
        let mut saved = flushed;
        let mut wrote = false;
        for segment in segments.iter().take(sealed).take_while(|segment| segment.base < flushed) {
            if let Err(error) = segment.aborts().seal() {
                warn!(dir = %self.dir.display(), base = segment.base.0, %error,
                    "aborted transactions not written");
                saved = segment.base;
                break;
            }
            wrote |= segment.aborts().sync().map_err(|error| self.unsynced(&error))?;
        }
        if wrote {
            self.disk.sync_dir(&self.dir).map_err(|error| self.unsynced(&error))?;
        }
        Ok(saved)
    }

    /// The same for a log that nothing more is written to.
    pub(super) fn save_all_aborted(&self, flushed: Offset) -> io::Result<()> {
        if self.save_aborted(flushed)? < flushed {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // For the index of the active segment.
        self.disk.sync_dir(&self.dir)
    }

    /// A sync that failed is not tried again.
    pub(super) fn unsynced(&self, error: &io::Error) -> io::Error {
        io::Error::other(self.go_offline(format_args!("sync failed: {error}")))
    }
}

/// What the producers' state says to readers, who do not wait for the writer.
#[derive(Debug)]
pub(super) struct Stability {
    first_unstable: AtomicI64,
    /// The first marker that the high watermark has not passed yet.
    first_marker: AtomicI64,
}

impl Stability {
    pub(super) fn of(producers: &ProducerStates) -> Self {
        let stability =
            Self { first_unstable: AtomicI64::new(NONE), first_marker: AtomicI64::new(NONE) };
        stability.publish(producers);
        stability
    }

    /// To be called with the writer in hand, before what it wrote becomes visible.
    pub(super) fn publish(&self, producers: &ProducerStates) {
        let offset = |found: Option<Offset>| found.map_or(NONE, |offset| offset.0);
        self.first_unstable.store(offset(producers.first_unstable_offset()), Ordering::Release);
        self.first_marker.store(offset(producers.first_unreplicated_marker()), Ordering::Release);
    }

    fn first_unstable(&self) -> Offset {
        Offset(self.first_unstable.load(Ordering::Acquire))
    }

    fn waits_for(&self, high_watermark: Offset) -> bool {
        self.first_marker.load(Ordering::Acquire) < high_watermark.0
    }
}

const NONE: i64 = i64::MAX;
