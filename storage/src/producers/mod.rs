//! What each idempotent or transactional producer wrote last, for telling duplicates and gaps from
//! what is new (KIP-98), and which transactions are open, for the last stable offset.
//!
//! The state of a log is a function of its batches in order. It is kept on disk as snapshots, each
//! named by the offset up to which it knows the log, and brought up to date by replaying the
//! batches after it.

mod producer;
pub(crate) mod snapshot;
mod verification;

use std::{
    collections::{BTreeMap, btree_map},
    io,
    path::Path,
};

use milena_protocol::{Offset, ProducerEpoch, ProducerId, Timestamp};
use tracing::warn;

use crate::{checkpoint::Found, fs::Disk, index::AbortedTransaction};
use producer::{NO_SEQUENCE, Producer};
use verification::Verifications;

pub use producer::WrittenBatch;
pub use snapshot::{SnapshotEntry, list as list_snapshots, read as read_snapshot};
pub use verification::VerificationGuard;

/// Who appends, which decides what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: epoch, sequence and transaction are checked.
    Client,
    /// The same, and a transaction may begin here only with a guard that is not void.
    Verified(Option<VerificationGuard>),
    /// A coordinator on behalf of a producer: there is no sequence to check.
    Coordinator,
    /// The same for a transaction of version 2: each has an epoch of its own, and its marker
    /// the next one (KIP-890).
    BumpingCoordinator,
    /// The leader's log, copied or replayed: everything was checked before.
    Replica,
}

/// The facts of a batch that has a producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub first_sequence: i32,
    pub last_sequence: i32,
    pub max_timestamp: Timestamp,
    pub transactional: bool,
}

/// The facts of a control batch that ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndMarker {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    pub timestamp: Timestamp,
    pub commit: bool,
}

/// Whether a batch may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    Accept,
    /// It was appended before, as this.
    Duplicate(WrittenBatch),
    /// The batch before it is missing. `last` is -1 if the producer has none in this epoch.
    OutOfOrder {
        last: i32,
        first: i32,
    },
    /// A newer incarnation of the producer has written.
    Fenced {
        current: ProducerEpoch,
    },
    /// Not transactional, while the producer has a transaction open.
    InTransaction,
    /// It would begin a transaction that its coordinator was not asked about, or that may have
    /// ended since.
    Unverified,
    /// It would open one transaction more than [`PRODUCERS_MAX`].
    TooManyTransactions,
}

/// Whether an end marker may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerCheck {
    Accept,
    /// A newer incarnation of the producer has written.
    Fenced {
        current: ProducerEpoch,
    },
    /// A newer coordinator has ended a transaction of this producer.
    CoordinatorFenced {
        current: i32,
    },
}

/// A transaction that a marker ended. An aborted one belongs in the transaction index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    pub producer: ProducerId,
    pub first: Offset,
    /// Offset of the marker.
    pub last: Offset,
    pub aborted: bool,
    /// Below it, all other transactions are decided.
    pub last_stable: Offset,
}

/// How many producers a log knows, and what they have open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub producers: usize,
    pub open: usize,
    /// When the first record of the open transaction came that has the lowest offset; of one that
    /// is older than this process, when it was found.
    pub oldest: Option<Timestamp>,
}

impl CompletedTransaction {
    /// What readers of committed records have to be told, if it was aborted.
    pub fn if_aborted(self) -> Option<AbortedTransaction> {
        let Self { producer, first, last, last_stable, aborted } = self;
        aborted.then_some(AbortedTransaction { producer, first, last, last_stable })
    }
}

/// The producers of one partition, at most [`PRODUCERS_MAX`]: beyond that the longest idle ones
/// are forgotten, as if they had expired.
#[derive(Debug)]
pub struct ProducerStates {
    producers: BTreeMap<ProducerId, Producer>,
    /// First offset of each open transaction, and whose it is.
    open: BTreeMap<Offset, ProducerId>,
    /// First and last offset of transactions that ended above the high watermark.
    unreplicated: BTreeMap<Offset, Offset>,
    verifications: Verifications,
    /// The state knows the log up to here.
    end: Offset,
    snapshot_end: Offset,
    expiration_ms: i64,
}

impl Origin {
    fn is_producer(self) -> bool {
        matches!(self, Self::Client | Self::Verified(_))
    }
}

impl ProducerStates {
    /// `expiration_ms` is `producer.id.expiration.ms`.
    pub fn new(expiration_ms: i64) -> Self {
        Self {
            producers: BTreeMap::new(),
            open: BTreeMap::new(),
            unreplicated: BTreeMap::new(),
            verifications: Verifications::default(),
            end: Offset::ZERO,
            snapshot_end: Offset::ZERO,
            expiration_ms,
        }
    }

    /// Notes that `batch` is in the log at `first..=last`, at the time `now`.
    pub fn record(&mut self, batch: &ProducerBatch, first: Offset, last: Offset, now: Timestamp) {
        let producer = self.producer_mut(batch.producer);
        producer.add(batch, first, last, now);
        if batch.transactional && producer.open_since.is_none() {
            producer.open_since = Some(first);
            producer.opened = now;
            self.open.insert(first, batch.producer);
        }
        if batch.transactional {
            self.verifications.settle(batch.producer);
        }
        self.advance_end(last.next());
    }

    /// Reminds the state, just restored, of a batch that its snapshot covers: of each producer that
    /// has but the last one. To be told in the order of the log.
    pub fn recall(&mut self, batch: &ProducerBatch, first: Offset, last: Offset) {
        if let Some(producer) = self.producers.get_mut(&batch.producer) {
            producer.recall(batch.epoch, WrittenBatch::new(batch, first, last));
        }
    }

    /// Notes that `marker` is in the log at `offset`, at the time `now`. `None` if the transaction
    /// it ends has no records here.
    pub fn record_marker(
        &mut self,
        marker: &EndMarker,
        offset: Offset,
        now: Timestamp,
    ) -> Option<CompletedTransaction> {
        let first = self.producer_mut(marker.producer).end_transaction(marker, now);
        self.verifications.settle(marker.producer);
        self.advance_end(offset.next());
        let first = first?;
        self.open.remove(&first);
        self.unreplicated.insert(first, offset);
        Some(CompletedTransaction {
            producer: marker.producer,
            first,
            last: offset,
            aborted: !marker.commit,
            last_stable: self.open.keys().next().copied().unwrap_or(offset.next()),
        })
    }

    /// Begins to verify a batch that may be the first of its transaction here: the coordinator is
    /// asked next, and the batch appended with the guard. `None` if the transaction has records
    /// here already, and nothing need be asked. `bumps` says that each of the producer's
    /// transactions has an epoch of its own.
    pub fn begin_verification(
        &mut self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        sequence: i32,
        bumps: bool,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        if self.has_open_transaction(producer, epoch) {
            return None;
        }
        Some(self.verifications.begin(producer, epoch, sequence, bumps, now))
    }

    /// The questions that are not settled, and which guards were used, for the log's successor.
    pub(crate) fn take_verifications(&mut self) -> Verifications {
        std::mem::take(&mut self.verifications)
    }

    pub(crate) fn put_verifications(&mut self, verifications: Verifications) {
        self.verifications = verifications;
    }

    /// Notes that the log, and what the state knows of it, reaches to `end`: for batches that have
    /// no producer id.
    pub fn advance_end(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// Transactions that ended below the high watermark no longer hold the last stable offset.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, last| *last >= high_watermark);
    }

    /// The log now begins at `start`. What producers wrote last stays known, even if it is gone.
    pub fn on_log_start(&mut self, start: Offset) {
        self.unreplicated.retain(|_, last| *last >= start);
        self.advance_end(start);
    }

    /// Forgets producers that have been idle for too long and have no open transaction, and
    /// returns how many they were.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let before = self.producers.len();
        let oldest = now.0.saturating_sub(self.expiration_ms);
        self.producers.retain(|_, producer| !producer.is_idle_since(Timestamp(oldest)));
        self.verifications.expire(Timestamp(oldest));
        before - self.producers.len()
    }

    pub fn set_expiration_ms(&mut self, expiration_ms: i64) {
        self.expiration_ms = expiration_ms;
    }

    /// Forgets everything; the log is empty and begins at `start`.
    pub fn reset(&mut self, start: Offset) {
        self.producers.clear();
        self.open.clear();
        self.unreplicated.clear();
        self.end = start;
        self.snapshot_end = start;
    }

    /// Starts again from the newest snapshot in `dir` that fits a log of `start..end`, and returns
    /// the offset from which the log must be replayed into this state. Snapshots outside the log
    /// and damaged ones are removed for good, before anything is appended where they stood.
    ///
    /// A snapshot does not say when its producers were last heard of, only which timestamp their
    /// last batch has, which may lie far back. So each counts as heard of at `now`.
    pub fn restore(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        start: Offset,
        end: Offset,
        now: Timestamp,
    ) -> io::Result<Offset> {
        let mut outside = snapshot::list(disk, dir)?;
        outside.retain(|at| !(start..=end).contains(at));
        snapshot::remove(disk, dir, &outside)?;
        self.restore_before(disk, dir, start, end, now)
    }

    /// The same from a snapshot at or below `upper`, and without a look at those that are outside.
    pub fn restore_before(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        start: Offset,
        upper: Offset,
        now: Timestamp,
    ) -> io::Result<Offset> {
        self.reset(start);
        let mut fitting = snapshot::list(disk, dir)?;
        fitting.retain(|at| (start..=upper).contains(at));
        for at in fitting.into_iter().rev() {
            match snapshot::read(disk, dir, at)? {
                Found::Whole(entries) => {
                    self.load(entries, now);
                    self.end = at;
                    self.snapshot_end = at;
                    break;
                }
                Found::Damaged { reason } => {
                    warn!(dir = %dir.display(), at = at.0, reason, "removed a damaged snapshot");
                    snapshot::remove(disk, dir, &[at])?;
                }
                Found::Absent => {}
            }
        }
        Ok(self.end)
    }

    /// Writes a snapshot into `dir` if the log has grown since the last one, and returns the
    /// offset that names it. It is not synced: one that does not survive a crash whole is
    /// recognised by its checksum, and an older one and a longer replay do instead.
    pub fn take_snapshot(&mut self, disk: &dyn Disk, dir: &Path) -> io::Result<Option<Offset>> {
        if self.end <= self.snapshot_end {
            return Ok(None);
        }
        snapshot::write(disk, dir, self.end, self.entries())?;
        self.snapshot_end = self.end;
        Ok(Some(self.end))
    }

    /// Whether `batch` may be appended, judged by what was recorded before.
    pub fn check(&self, batch: &ProducerBatch, origin: Origin) -> Check {
        if origin == Origin::Replica {
            return Check::Accept;
        }
        let known = self.producers.get(&batch.producer);
        let written = known.filter(|_| origin.is_producer()).and_then(|known| known.find(batch));
        if let Some(written) = written {
            return Check::Duplicate(written);
        }
        if let Origin::Verified(guard) = origin
            && batch.transactional
            && !self.has_open_transaction(batch.producer, batch.epoch)
            && !guard
                .is_some_and(|guard| self.verifications.is_open(batch.producer, batch.epoch, guard))
        {
            return Check::Unverified;
        }
        let check = match known {
            Some(known) => known.check(batch, origin),
            None if batch.transactional && self.open.len() >= PRODUCERS_MAX => {
                Check::TooManyTransactions
            }
            // Where nothing is known of a producer, any sequence may be the next; not so if its
            // epoch has just begun.
            None if batch.transactional
                && origin.is_producer()
                && batch.first_sequence > 0
                && self.verifications.begins_at_zero(batch.producer, batch.epoch) =>
            {
                Check::OutOfOrder { last: NO_SEQUENCE, first: batch.first_sequence }
            }
            None => Check::Accept,
        };
        match check {
            Check::Accept if origin.is_producer() => self.check_overtaking(batch),
            check => check,
        }
    }

    /// Whether `marker` may be appended, judged by what was recorded before.
    pub fn check_marker(&self, marker: &EndMarker, origin: Origin) -> MarkerCheck {
        match self.producers.get(&marker.producer) {
            Some(producer) if origin != Origin::Replica => producer.check_marker(marker, origin),
            _ => MarkerCheck::Accept,
        }
    }

    /// The first offset that a transaction may still change the fate of: the first of an open
    /// one, or of one whose end is above the high watermark. The last stable offset is the lesser
    /// of this and the high watermark.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        open.into_iter().chain(unreplicated).min().copied()
    }

    /// The first of the markers that lie above the high watermark.
    pub fn first_unreplicated_marker(&self) -> Option<Offset> {
        self.unreplicated.values().min().copied()
    }

    /// Whether the producer has a transaction of this epoch open.
    fn has_open_transaction(&self, producer: ProducerId, epoch: ProducerEpoch) -> bool {
        let known = self.producers.get(&producer);
        known.is_some_and(|known| known.epoch == epoch && known.open_since.is_some())
    }

    /// A batch that waits for its coordinator's word comes before those after it.
    fn check_overtaking(&self, batch: &ProducerBatch) -> Check {
        match self.verifications.lowest_sequence(batch.producer, batch.epoch) {
            Some(lowest) if batch.transactional && batch.first_sequence > lowest => {
                Check::OutOfOrder { last: lowest, first: batch.first_sequence }
            }
            _ => Check::Accept,
        }
    }

    /// Where the producer's open transaction begins, if it has one.
    pub fn open_transaction(&self, producer: ProducerId) -> Option<Offset> {
        self.producers.get(&producer)?.open_since
    }

    pub fn census(&self) -> Census {
        let oldest = self.open.values().next().and_then(|id| self.producers.get(id));
        Census {
            producers: self.producers.len(),
            open: self.open.len(),
            oldest: oldest.map(|producer| producer.opened),
        }
    }

    /// The offset up to which the state knows the log.
    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Each producer as a snapshot has it, by id: also what DescribeProducers tells.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = SnapshotEntry> {
        self.producers.iter().map(|(&id, producer)| producer.to_entry(id))
    }

    fn load(&mut self, entries: Vec<SnapshotEntry>, now: Timestamp) {
        for entry in entries {
            if let Some(first) = entry.open_since {
                self.open.insert(first, entry.producer);
            }
            *self.producer_mut(entry.producer) = Producer::from_entry(&entry, now);
        }
    }

    fn producer_mut(&mut self, id: ProducerId) -> &mut Producer {
        if self.producers.len() >= PRODUCERS_MAX && !self.producers.contains_key(&id) {
            self.evict();
        }
        match self.producers.entry(id) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(unknown) => unknown.insert(Producer::unknown()),
        }
    }

    /// Forgets the longest idle producers, many at once so that it is rare.
    fn evict(&mut self) {
        let mut idle: Vec<_> = self
            .producers
            .iter()
            .filter(|(_, producer)| producer.open_since.is_none())
            .map(|(&id, producer)| (producer.last_seen, id))
            .collect();
        if idle.len() > EVICTED_AT_ONCE {
            idle.select_nth_unstable(EVICTED_AT_ONCE);
            idle.truncate(EVICTED_AT_ONCE);
        }
        for (_, id) in idle {
            self.producers.remove(&id);
        }
    }
}

/// Removes all snapshots of a log that begins anew, which may come to the offsets they are named by.
pub(crate) fn forget_snapshots(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    snapshot::remove(disk, dir, &snapshot::list(disk, dir)?)
}

/// Producers that one partition remembers.
pub const PRODUCERS_MAX: usize = 65_536;
const EVICTED_AT_ONCE: usize = PRODUCERS_MAX / 16;

#[cfg(test)]
mod tests;
