//! What transactions say about batches: the records of an aborted one count for nothing, and an
//! end marker is needed for as long as records of its transaction are there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use milena_protocol::{ProducerId, records::Batch};

use crate::{index::AbortedTransaction, log::producing};

/// Sees the batches of a log in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transactions {
    /// By first offset, those that no batch has come to yet.
    ahead: VecDeque<AbortedTransaction>,
    /// Aborted ones that batches were seen within, and whether one of those was theirs.
    aborted: BTreeMap<ProducerId, (AbortedTransaction, bool)>,
    /// Others that records were seen of.
    committed: BTreeSet<ProducerId>,
    /// Aborted ones that readers need to know of still, as their marker stays and had records.
    kept: Vec<AbortedTransaction>,
}

impl Transactions {
    /// `aborted` are all transactions of the log that were.
    pub(crate) fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|transaction| (transaction.first, transaction.last));
        Self { ahead: aborted.into(), ..Self::default() }
    }

    /// Whether nobody needs what is in `batch`: records of an aborted transaction, or the marker
    /// of one that has no records any more.
    pub(crate) fn is_needless(&mut self, batch: &Batch) -> bool {
        self.catch_up(batch);
        let producer = batch.producer_id();
        if batch.is_control() {
            match producing::end_marker(batch) {
                None => false,
                Some(marker) if marker.commit => !self.committed.remove(&producer),
                Some(_) => match self.aborted.remove(&producer) {
                    Some((transaction, true)) => {
                        self.kept.push(transaction);
                        false
                    }
                    Some((_, false)) | None => true,
                },
            }
        } else if batch.is_transactional() {
            match self.aborted.get_mut(&producer) {
                Some((transaction, seen)) if transaction.last >= batch.base_offset() => {
                    *seen = true;
                    true
                }
                _ => {
                    self.committed.insert(producer);
                    false
                }
            }
        } else {
            false
        }
    }

    /// The aborted transactions whose marker came since the last call and has to be indexed.
    pub(crate) fn take_kept(&mut self) -> Vec<AbortedTransaction> {
        std::mem::take(&mut self.kept)
    }

    fn catch_up(&mut self, batch: &Batch) {
        while let Some(next) = self.ahead.front().copied()
            && next.first <= batch.last_offset()
        {
            self.ahead.pop_front();
            // Those that ended before are of no concern to it.
            if next.last >= batch.base_offset() {
                self.aborted.insert(next.producer, (next, false));
            }
        }
    }
}
