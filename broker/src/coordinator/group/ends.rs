//! Whether a transaction may have ended while its coordinator was asked if it is open.

use std::sync::{Mutex, PoisonError};

use milena_protocol::ProducerId;

/// Counts the ends of transactions. Producers share counters, as it is cheap to look again and
/// there may be any number of them. Thread-safe.
#[derive(Debug)]
pub(super) struct Ends {
    counters: [Mutex<u64>; COUNTERS],
}

/// How often something had ended at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

impl Ends {
    pub(super) fn new() -> Self {
        Self { counters: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(super) fn seen(&self, producer: ProducerId) -> Seen {
        Seen(self.at(producer, |count| *count))
    }

    /// Does what ends a transaction.
    pub(super) fn end<T>(&self, producer: ProducerId, act: impl FnOnce() -> T) -> T {
        self.at(producer, |count| {
            *count += 1;
            act()
        })
    }

    /// Does what may not come after the end of a transaction, unless there may have been one since.
    pub(super) fn unless_ended<T>(
        &self,
        producer: ProducerId,
        seen: Seen,
        act: impl FnOnce() -> T,
    ) -> Option<T> {
        self.at(producer, |count| (*count == seen.0).then(act))
    }

    fn at<T>(&self, producer: ProducerId, act: impl FnOnce(&mut u64) -> T) -> T {
        let index = usize::try_from(producer.0.unsigned_abs() % COUNTERS as u64);
        let [first, ..] = &self.counters;
        let counter = index.ok().and_then(|index| self.counters.get(index)).unwrap_or(first);
        let mut count = counter.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut count)
    }
}

const COUNTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_before_an_end_is_to_be_looked_at_again() {
        let ends = Ends::new();
        let (alice, bob) = (ProducerId(7), ProducerId(8));
        let seen = (ends.seen(alice), ends.seen(bob));
        ends.end(alice, || ());
        assert_eq!(ends.unless_ended(alice, seen.0, || "done"), None);
        assert_eq!(ends.unless_ended(bob, seen.1, || "done"), Some("done"));
        let again = ends.seen(alice);
        assert_eq!(ends.unless_ended(alice, again, || "done"), Some("done"));
    }
}
