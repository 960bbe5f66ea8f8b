//! Batches that may begin a transaction here only once its coordinator has said that it is open
//! (KIP-890).
//!
//! Between the question and the append the transaction may end, and another one begin. So each
//! question has a guard, which is void as soon as the producer has written a transactional batch
//! or a marker has come: what was asked about then is not what would be written.
//!
//! A question is of one epoch. One that a fenced producer has left unanswered says nothing of its
//! successor's batches.

use std::collections::BTreeMap;

use milena_protocol::{ProducerEpoch, ProducerId, Timestamp};

/// Names one question that a coordinator is asked; never used twice while a log is open, wherever it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerificationGuard(u64);

/// The questions that are not settled, at most [`QUESTIONS_MAX`]: beyond that the oldest ones are
/// void.
#[derive(Debug, Default)]
pub(crate) struct Verifications {
    open: BTreeMap<ProducerId, Verification>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Verification {
    guard: VerificationGuard,
    since: Timestamp,
    epoch: ProducerEpoch,
    /// Of the batches that wait: a later one must not overtake an earlier one that has to be sent
    /// again.
    lowest_sequence: i32,
    bumps: bool,
}

impl Verifications {
    /// Asks about a batch, or joins the question about an earlier one. A newer epoch takes the
    /// place of an older one; an older one changes nothing, and the guard it gets is void for it.
    pub(super) fn begin(
        &mut self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        sequence: i32,
        bumps: bool,
        now: Timestamp,
    ) -> VerificationGuard {
        if let Some(known) = self.open.get_mut(&producer)
            && known.epoch >= epoch
        {
            if known.epoch == epoch {
                known.lowest_sequence = known.lowest_sequence.min(sequence);
                known.bumps |= bumps;
            }
            return known.guard;
        }
        if self.open.len() >= QUESTIONS_MAX {
            let oldest_kept = self.next.saturating_sub(QUESTIONS_KEPT);
            self.open.retain(|_, question| question.guard.0 >= oldest_kept);
        }
        let guard = VerificationGuard(self.next);
        self.next += 1;
        let question = Verification { guard, since: now, epoch, lowest_sequence: sequence, bumps };
        self.open.insert(producer, question);
        guard
    }

    /// Something was written that answers the question, or makes it void.
    pub(super) fn settle(&mut self, producer: ProducerId) {
        if !self.open.is_empty() {
            self.open.remove(&producer);
        }
    }

    pub(super) fn expire(&mut self, oldest: Timestamp) {
        self.open.retain(|_, question| question.since > oldest);
    }

    pub(super) fn is_open(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        guard: VerificationGuard,
    ) -> bool {
        self.of(producer, epoch).is_some_and(|question| question.guard == guard)
    }

    /// Whether the producer has an epoch for each transaction, in which it counts from 0.
    pub(super) fn begins_at_zero(&self, producer: ProducerId, epoch: ProducerEpoch) -> bool {
        self.of(producer, epoch).is_some_and(|question| question.bumps)
    }

    /// The sequence of the first batch that waits.
    pub(super) fn lowest_sequence(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
    ) -> Option<i32> {
        self.of(producer, epoch).map(|question| question.lowest_sequence)
    }

    fn of(&self, producer: ProducerId, epoch: ProducerEpoch) -> Option<&Verification> {
        self.open.get(&producer).filter(|question| question.epoch == epoch)
    }
}

const QUESTIONS_MAX: usize = super::PRODUCERS_MAX;
/// Some are forgotten at once, so that it is rare.
const QUESTIONS_KEPT: u64 = (super::PRODUCERS_MAX - super::EVICTED_AT_ONCE) as u64;
