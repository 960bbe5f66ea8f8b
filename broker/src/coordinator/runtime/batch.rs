//! What a turn writes, as batches.

use std::collections::BTreeMap;

use bytes::Bytes;
use milena_protocol::{
    ProducerEpoch, ProducerId, Timestamp,
    compression::Codec,
    records::{BatchBuilder, BuildError, EndTxnMarker, NO_SEQUENCE},
};
use milena_storage::producers::EndMarker;
use tracing::debug;

use super::{AppendFailed, Ends, Entry, StateRecord};

/// The entries as batches, one behind the other. Neighbours of one kind and producer share one.
///
/// # Errors
/// The records do not fit into a batch, or a producer's older incarnation follows a newer one: the
/// log could not tell, as it judges a turn by what was there before it. Or there are markers of
/// both kinds.
pub(super) fn build(entries: &[Entry], ends: Ends, now: Timestamp) -> Result<Bytes, AppendFailed> {
    if ends.plain && ends.bumping {
        return Err(AppendFailed::Mixed);
    }
    check_epochs(entries, ends.bumping)?;
    let mut batches = entries.chunk_by(share_a_batch).map(|run| batch(run, now));
    let first = batches.next().transpose()?.unwrap_or_default();
    let mut all = Vec::new();
    for batch in batches {
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&batch?);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

fn check_epochs(entries: &[Entry], bumps: bool) -> Result<(), AppendFailed> {
    let mut latest = BTreeMap::new();
    for entry in entries {
        let Some((producer, epoch)) = entry.producer() else { continue };
        let is_end = matches!(entry, Entry::End(_));
        let Some((before, was_end)) = latest.insert(producer, (epoch, is_end)) else { continue };
        // A marker that bears the next epoch ends nothing that was written in it.
        let is_late = bumps && is_end && !was_end && epoch == before;
        if epoch < before || is_late {
            return Err(AppendFailed::FencedProducer);
        }
    }
    Ok(())
}

fn share_a_batch(one: &Entry, next: &Entry) -> bool {
    let is_marker = |entry: &Entry| matches!(entry, Entry::End(_));
    one.producer() == next.producer() && !is_marker(one) && !is_marker(next)
}

fn batch(run: &[Entry], now: Timestamp) -> Result<Bytes, AppendFailed> {
    let mut batch = BatchBuilder::new(Codec::None);
    if let Some((producer, epoch)) = run.first().and_then(Entry::producer) {
        batch = batch.transactional(true).producer(producer, epoch, NO_SEQUENCE);
    }
    for entry in run {
        match entry {
            Entry::Record(record) | Entry::Transactional(_, _, record) => {
                append(&mut batch, record, now).map_err(no_batch)?;
            }
            Entry::End(marker) => return end(marker).map_err(no_batch),
        }
    }
    batch.build().map_err(no_batch)
}

fn append(
    batch: &mut BatchBuilder,
    record: &StateRecord,
    now: Timestamp,
) -> Result<(), BuildError> {
    batch.append(now, Some(&record.key), record.value.as_deref(), &[])?;
    Ok(())
}

fn end(marker: &EndMarker) -> Result<Bytes, BuildError> {
    let EndMarker { producer, epoch, coordinator_epoch, timestamp, commit } = *marker;
    EndTxnMarker { commit, coordinator_epoch }.batch(producer, epoch, timestamp)
}

fn no_batch(error: BuildError) -> AppendFailed {
    debug!(%error, "the records of a turn make no batch");
    AppendFailed::TooLarge
}

impl Entry {
    /// Whose transaction it belongs to.
    const fn producer(&self) -> Option<(ProducerId, ProducerEpoch)> {
        match self {
            Self::Record(_) => None,
            Self::Transactional(producer, epoch, _) => Some((*producer, *epoch)),
            Self::End(marker) => Some((marker.producer, marker.epoch)),
        }
    }
}
