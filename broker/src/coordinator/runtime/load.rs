//! Rebuilding a machine's state from its log.

use milena_protocol::{
    compression::InflateLimit,
    records::{Batch, BatchError, EndTxnMarker},
};
use milena_storage::producers::EndMarker;

use super::{Machine, PartitionLog, ReadFailed};

/// Replays everything that is committed; returns the number of records. Gives way to others
/// between two reads, each of which is short.
///
/// # Errors
/// The log cannot be read. The machine is then not to be used.
pub(super) async fn load<M: Machine>(
    machine: &mut M,
    log: &dyn PartitionLog,
) -> Result<usize, ReadFailed> {
    let (mut next, end) = log.bounds();
    let mut count = 0;
    while next < end {
        let mut bytes = log.read(next, READ_BYTES)?;
        if bytes.is_empty() {
            // Compaction may have left nothing on the way to the end.
            break;
        }
        while !bytes.is_empty() {
            let batch = Batch::split(&mut bytes).map_err(unreadable)?;
            next = batch.last_offset().next();
            let producer = batch.is_transactional().then(|| batch.producer_id());
            for record in batch.records(InflateLimit::default()).map_err(unreadable)? {
                let record = record.map_err(unreadable)?;
                if batch.is_control() {
                    if let Some(marker) = EndTxnMarker::read(&record).map_err(unreadable)? {
                        machine.replay_marker(&EndMarker {
                            producer: batch.producer_id(),
                            epoch: batch.producer_epoch(),
                            coordinator_epoch: marker.coordinator_epoch,
                            timestamp: record.timestamp,
                            commit: marker.commit,
                        });
                    }
                } else if let Some(key) = record.key {
                    machine.replay(producer, key, record.value);
                    count += 1;
                }
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(count)
}

fn unreadable(error: BatchError) -> ReadFailed {
    ReadFailed(error.to_string())
}

const READ_BYTES: usize = 1 << 20;
