//! Transactions in one log: how far readers of committed records may see, what ends a transaction
//! and what may begin one.

use std::sync::atomic::{AtomicI64, Ordering};

use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp,
    records::{BuildError, EndTxnMarker},
};

use super::{Append, AppendError, Appended, Log, Origin};
use crate::producers::{EndMarker, ProducerStates, SnapshotEntry, VerificationGuard};

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
        let batch = batch.map_err(|error: BuildError| std::io::Error::other(error.to_string()))?;
        let origin = if bumps { Origin::BumpingCoordinator } else { Origin::Coordinator };
        self.append(batch, Append { origin, ..append })
    }

    /// To be called before a transactional batch is appended, and its coordinator asked if there is
    /// a guard: whether the transaction is open, and this partition part of it. Then the batch is
    /// appended with [`Origin::Verified`]. `None` if the transaction has records here already.
    pub fn begin_verification(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        first_sequence: i32,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        self.writer().producers.begin_verification(producer, epoch, first_sequence, now)
    }

    /// What is known of each producer, by id (DescribeProducers).
    pub fn producers(&self) -> Vec<SnapshotEntry> {
        self.writer().producers.entries().collect()
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
