//! How many transactions there are in each state, for whoever watches the broker.

use std::sync::{Mutex, PoisonError};

use super::State;
use crate::metrics::{Gauge, Registry, names};

/// Transactions by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([i64; State::ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, state: State, by: i64) {
        if let Some(count) = self.0.get_mut(state as usize) {
            *count += by;
        }
    }
}

/// One shard's part of the metrics. It is taken out of them when the shard is gone. What a turn
/// that was taken back has shown is put right by the next one.
#[derive(Debug, Default)]
pub struct Census {
    gauges: [Gauge; State::ALL.len()],
    shown: Mutex<Counts>,
}

impl Census {
    #[must_use]
    pub fn new(metrics: &Registry) -> Self {
        let gauge = |state: State| metrics.gauge_of(&names::TRANSACTIONS, state.name());
        Self { gauges: State::ALL.map(gauge), shown: Mutex::default() }
    }

    pub(super) fn set(&self, counts: Counts) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for ((gauge, before), after) in self.gauges.iter().zip(shown.0).zip(counts.0) {
            if before != after {
                gauge.add(after - before);
            }
        }
        *shown = counts;
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        self.set(Counts::default());
    }
}
