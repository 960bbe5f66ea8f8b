//! What a batch means to the producers' state: the log's batches on one side, facts on the other.

use milena_protocol::{
    ProducerId, Timestamp,
    compression::InflateLimit,
    records::{Batch, BatchHeader, EndTxnMarker},
};

use super::AppendError;
use crate::producers::{
    Check, CompletedTransaction, EndMarker, MarkerCheck, Origin, ProducerBatch, ProducerStates,
    WrittenBatch,
};

/// Whether `batch` may be appended; `Some` if it was, earlier.
pub(super) fn admit(
    producers: &ProducerStates,
    batch: &Batch,
    origin: Origin,
) -> Result<Option<WrittenBatch>, AppendError> {
    let Some(facts) = facts(batch.header()) else { return Ok(None) };
    let producer = facts.producer;
    if batch.is_control() {
        let Some(marker) = end_marker(batch) else { return Ok(None) };
        return match producers.check_marker(&marker, origin) {
            MarkerCheck::Accept => Ok(None),
            MarkerCheck::Fenced { current } => {
                Err(AppendError::FencedProducer { producer, epoch: facts.epoch, current })
            }
            MarkerCheck::CoordinatorFenced { current } => Err(AppendError::FencedCoordinator {
                producer,
                epoch: marker.coordinator_epoch,
                current,
            }),
        };
    }
    match producers.check(&facts, origin) {
        Check::Accept => Ok(None),
        Check::Duplicate(written) => Ok(Some(written)),
        Check::OutOfOrder { last, first } => {
            Err(AppendError::OutOfOrderSequence { producer, sequence: first, last })
        }
        Check::Fenced { current } => {
            Err(AppendError::FencedProducer { producer, epoch: facts.epoch, current })
        }
        Check::InTransaction | Check::Unverified | Check::TooManyTransactions => {
            Err(AppendError::InvalidTransactionState { producer })
        }
    }
}

/// Notes a batch that is in the log, under the header that it has there. `marker` is what a
/// control batch says.
pub(crate) fn note(
    producers: &mut ProducerStates,
    header: &BatchHeader,
    marker: Option<EndMarker>,
    now: Timestamp,
) -> Option<CompletedTransaction> {
    let completed = match (facts(header), marker) {
        (Some(_), Some(marker)) => producers.record_marker(&marker, header.base_offset, now),
        (Some(facts), None) if !header.attributes.is_control() => {
            producers.record(&facts, header.base_offset, header.last_offset(), now);
            None
        }
        _ => None,
    };
    producers.advance_end(header.last_offset().next());
    completed
}

/// Notes a batch that the snapshot covers which `producers` were restored from.
pub(crate) fn recall(producers: &mut ProducerStates, header: &BatchHeader) {
    if let Some(facts) = facts(header).filter(|_| !header.attributes.is_control()) {
        producers.recall(&facts, header.base_offset, header.last_offset());
    }
}

/// What a control batch says, if it ends a transaction.
pub(crate) fn end_marker(batch: &Batch) -> Option<EndMarker> {
    if !batch.is_control() {
        return None;
    }
    let record = batch.records(InflateLimit::default()).ok()?.next()?.ok()?;
    let marker = EndTxnMarker::read(&record).ok()??;
    Some(EndMarker {
        producer: batch.producer_id(),
        epoch: batch.producer_epoch(),
        coordinator_epoch: marker.coordinator_epoch,
        timestamp: record.timestamp,
        commit: marker.commit,
    })
}

fn facts(header: &BatchHeader) -> Option<ProducerBatch> {
    (header.producer_id > ProducerId::NONE).then(|| ProducerBatch {
        producer: header.producer_id,
        epoch: header.producer_epoch,
        first_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        max_timestamp: header.max_timestamp,
        transactional: header.attributes.is_transactional(),
    })
}
