//! Producer ids: handed out in blocks, no number twice, whatever crashes.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use milena_protocol::{ProducerId, state::metadata::ProducerIdsRecord};

use super::View;
use crate::metadata::MetadataRecord;

/// The next block, which the record takes out of circulation.
pub(super) fn next_block(view: &View<'_>) -> (Vec<MetadataRecord>, Range<i64>) {
    let first = view.image.next_producer_id();
    let end = first.saturating_add(BLOCK_LEN);
    let epoch = view.image.broker(view.node.id).map_or(-1, |broker| broker.epoch);
    let record =
        ProducerIdsRecord { broker_id: view.node.id, broker_epoch: epoch, next_producer_id: end };
    (vec![record.into()], first..end)
}

/// What is left of the block that this broker holds. Thread-safe.
#[derive(Debug, Default)]
pub(super) struct Block(Mutex<Range<i64>>);

impl Block {
    pub(super) fn take(&self) -> Option<ProducerId> {
        self.lock().next().map(ProducerId)
    }

    /// Takes one id off a new block and keeps the rest, unless somebody else has refilled this one
    /// in the meantime: then the rest is never used.
    pub(super) fn refill(&self, mut block: Range<i64>) -> Option<ProducerId> {
        let first = block.next().map(ProducerId);
        let mut held = self.lock();
        if held.is_empty() {
            *held = block;
        }
        first
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Range<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that one record takes.
const BLOCK_LEN: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_up_before_the_next() {
        let block = Block::default();
        assert_eq!(block.take(), None);
        assert_eq!(block.refill(5..7), Some(ProducerId(5)));
        assert_eq!(block.refill(9..11), Some(ProducerId(9)));
        assert_eq!(block.take(), Some(ProducerId(6)));
        assert_eq!(block.take(), None);
    }
}
