//! What is left of a batch.

use std::collections::BTreeMap;

use bytes::Bytes;
use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp,
    compression::{CodecError, InflateLimit},
    records::{Batch, BatchBuilder, BatchError, BuildError, Record, TimestampType},
};

use super::{OffsetMap, Transactions};
use crate::producers::SnapshotEntry;

/// Sees every batch of a log from its start, in order, once.
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    map: &'a OffsetMap,
    transactions: Transactions,
    producers: BTreeMap<ProducerId, LastWritten>,
    now: Timestamp,
    /// When tombstones may go that are seen for the first time.
    horizon: Timestamp,
    records_dropped: u64,
}

/// The end of what an active producer has written.
#[derive(Clone, Copy, Debug)]
struct LastWritten {
    epoch: ProducerEpoch,
    /// `None` if only a marker is left of it.
    offset: Option<Offset>,
}

/// What is written in the place of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    Whole,
    /// The same batch with fewer records, or none, or with a delete horizon.
    Changed(Bytes),
}

impl<'a> Filter<'a> {
    pub(crate) fn new(
        map: &'a OffsetMap,
        transactions: Transactions,
        now: Timestamp,
        delete_retention_ms: i64,
    ) -> Self {
        Self {
            map,
            transactions,
            producers: BTreeMap::new(),
            now,
            horizon: Timestamp(now.0.saturating_add(delete_retention_ms)),
            records_dropped: 0,
        }
    }

    /// The producers whose next batches are to be checked against their last ones.
    pub(crate) fn set_producers(&mut self, producers: impl Iterator<Item = SnapshotEntry>) {
        self.producers = producers
            .map(|entry| {
                let offset = entry.last_batch.map(|batch| batch.last_offset);
                (entry.producer, LastWritten { epoch: entry.epoch, offset })
            })
            .collect();
    }

    pub(crate) fn transactions(&mut self) -> &mut Transactions {
        &mut self.transactions
    }

    pub(crate) fn records_dropped(&self) -> u64 {
        self.records_dropped
    }

    /// # Errors
    /// The records cannot be read.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<Rest, BuildError> {
        let needless = self.transactions.is_needless(batch);
        let expired = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        // A marker waits as a tombstone does.
        let goes = needless && (expired || !batch.is_control());
        let mut kept = Vec::new();
        let mut tombstones = false;
        if !goes {
            for record in batch.records(InflateLimit::default())? {
                let record = record?;
                if batch.is_control() || self.keeps(&record, expired) {
                    tombstones |= record.value.is_none();
                    kept.push(record);
                }
            }
        }
        let count = usize::try_from(batch.record_count()).unwrap_or(0);
        self.records_dropped += count.saturating_sub(kept.len()) as u64;
        if kept.is_empty() {
            return if !self.is_last_of_producer(batch) {
                Ok(Rest::Nothing)
            } else if count == 0 {
                Ok(Rest::Whole)
            } else {
                emptied(batch).map(Rest::Changed)
            };
        }
        let awaits_horizon = (tombstones || (needless && batch.is_control()))
            && batch.delete_horizon().is_none()
            // What this pass did not come to yet is not compacted, and its time does not run.
            && batch.last_offset() < self.map.end();
        if kept.len() == count && !awaits_horizon {
            return Ok(Rest::Whole);
        }
        let horizon = if awaits_horizon { Some(self.horizon) } else { batch.delete_horizon() };
        rebuilt(batch, &kept, horizon).map(Rest::Changed)
    }

    fn keeps(&self, record: &Record, expired: bool) -> bool {
        if record.offset >= self.map.end() {
            return true;
        }
        // From before the topic was compacted; nothing could ever replace it.
        let Some(key) = &record.key else { return false };
        let replaced = self.map.get(key).is_some_and(|latest| record.offset < latest);
        !replaced && (record.value.is_some() || !expired)
    }

    /// Whether sequence number and epoch of an active producer are to be found here alone.
    fn is_last_of_producer(&self, batch: &Batch) -> bool {
        self.producers.get(&batch.producer_id()).is_some_and(|last| match last.offset {
            Some(offset) => batch.last_offset() == offset,
            None => batch.is_control() && batch.producer_epoch() == last.epoch,
        })
    }
}

fn emptied(batch: &Batch) -> Result<Bytes, BuildError> {
    like(batch)?.max_timestamp(batch.max_timestamp()).build()
}

fn rebuilt(
    batch: &Batch,
    records: &[Record],
    horizon: Option<Timestamp>,
) -> Result<Bytes, BuildError> {
    let mut builder = like(batch)?;
    if let Some(horizon) = horizon {
        builder = builder.delete_horizon(horizon);
    }
    for record in records {
        builder.append_record(record)?;
    }
    builder.build()
}

/// A batch of the same header, without records.
fn like(batch: &Batch) -> Result<BatchBuilder, BuildError> {
    let codec = batch.compression().map_err(|error: CodecError| BatchError::from(error))?;
    let builder = BatchBuilder::new(codec)
        .base_offset(batch.base_offset())
        .last_offset(batch.last_offset())
        .leader_epoch(batch.leader_epoch())
        .producer(batch.producer_id(), batch.producer_epoch(), batch.base_sequence())
        .transactional(batch.is_transactional())
        .control(batch.is_control());
    Ok(match batch.timestamp_type() {
        TimestampType::CreateTime => builder,
        TimestampType::LogAppendTime => builder.log_append_time(batch.max_timestamp()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

    use milena_protocol::{
        compression::Codec,
        records::{EndTxnMarker, HeaderPatch},
    };

    use super::*;
    use crate::index::AbortedTransaction;

    const PRODUCER: ProducerId = ProducerId(5);
    const NOW: Timestamp = Timestamp(1_000_000);

    /// A record of a transaction at an offset.
    fn data(offset: i64, key: &str) -> Batch {
        let mut builder = BatchBuilder::new(Codec::None)
            .base_offset(Offset(offset))
            .producer(PRODUCER, ProducerEpoch(0), 0)
            .transactional(true);
        builder.append(NOW, Some(key.as_bytes()), Some(b"value"), &[]).unwrap();
        Batch::split(&mut builder.build().unwrap()).unwrap()
    }

    fn marker(offset: i64, commit: bool) -> Batch {
        let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
        let bytes = marker.batch(PRODUCER, ProducerEpoch(0), NOW).unwrap();
        let batch = Batch::split(&mut bytes.clone()).unwrap();
        let patch = HeaderPatch {
            base_offset: Offset(offset),
            leader_epoch: batch.leader_epoch(),
            log_append_time: None,
        };
        let mut whole = patch.header(&batch).to_bytes().to_vec();
        whole.extend_from_slice(&batch.body());
        Batch::split(&mut whole.into()).unwrap()
    }

    fn aborted(first: i64, last: i64) -> AbortedTransaction {
        let (first, last) = (Offset(first), Offset(last));
        AbortedTransaction { producer: PRODUCER, first, last, last_stable: last }
    }

    /// One pass over `batches`, of whose keys the map knows none: what is left of them, and which
    /// aborted transactions stay indexed.
    fn pass(
        batches: &[Batch],
        index: &[AbortedTransaction],
        now: Timestamp,
    ) -> (Vec<Batch>, Vec<AbortedTransaction>) {
        let mut map = OffsetMap::new(1000, 10, 0, Offset(0));
        map.set_end(Offset(100));
        let mut filter = Filter::new(&map, Transactions::new(index.to_vec()), now, 1000);
        let left = batches.iter().filter_map(|batch| match filter.apply(batch).unwrap() {
            Rest::Nothing => None,
            Rest::Whole => Some(batch.clone()),
            Rest::Changed(mut bytes) => Some(Batch::split(&mut bytes).unwrap()),
        });
        let left = left.collect();
        (left, filter.transactions().take_kept())
    }

    fn offsets(batches: &[Batch]) -> Vec<i64> {
        batches.iter().map(|batch| batch.base_offset().0).collect()
    }

    #[test]
    fn records_of_an_aborted_transaction_go_at_once_and_its_marker_later() {
        let log = [data(0, "a"), marker(1, false), data(2, "b"), marker(3, true)];
        let index = [aborted(0, 1)];
        let (left, kept) = pass(&log, &index, NOW);
        assert_eq!((offsets(&left), kept.as_slice()), (vec![1, 2, 3], index.as_slice()));
        assert_eq!(left[0].delete_horizon(), None, "readers may still have the records");

        let (left, kept) = pass(&left, &kept, NOW);
        assert_eq!((offsets(&left), kept.len()), (vec![1, 2, 3], 0));
        assert_eq!(left[0].delete_horizon(), Some(Timestamp(NOW.0 + 1000)));
        let (left, _) = pass(&left, &[], Timestamp(NOW.0 + 999));
        assert_eq!(offsets(&left), [1, 2, 3]);
        let (left, _) = pass(&left, &[], Timestamp(NOW.0 + 1000));
        assert_eq!(offsets(&left), [2, 3], "a committed record keeps its marker");
    }

    #[test]
    fn an_aborted_transaction_that_ended_before_says_nothing_of_the_next() {
        let (left, _) = pass(&[data(5, "a"), marker(6, true)], &[aborted(0, 1)], NOW);
        assert_eq!(offsets(&left), [5, 6]);
    }
}
