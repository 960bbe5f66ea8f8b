//! When bytes last moved on a connection, and the watch over it.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    metrics::{Counter, Registry, names},
    purgatory::Timers,
};

/// Bytes moved on all connections.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    received: Counter,
    sent: Counter,
}

impl Traffic {
    pub(super) fn new(metrics: &Registry) -> Self {
        Self {
            received: metrics.counter(&names::BYTES_RECEIVED),
            sent: metrics.counter(&names::BYTES_SENT),
        }
    }
}

/// Written by both halves of a connection.
pub(super) struct Activity<'a> {
    timers: &'a Timers,
    traffic: &'a Traffic,
    last_ms: AtomicU64,
    /// A request is being handled: silence is then the broker's doing.
    busy: AtomicBool,
}

impl<'a> Activity<'a> {
    pub(super) fn new(timers: &'a Timers, traffic: &'a Traffic) -> Self {
        let activity =
            Self { timers, traffic, last_ms: AtomicU64::new(0), busy: AtomicBool::new(false) };
        activity.touch();
        activity
    }

    pub(super) fn received(&self, bytes: usize) {
        self.traffic.received.add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.touch();
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.traffic.sent.add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.touch();
    }

    /// Counts silence from now.
    pub(super) fn touch(&self) {
        self.last_ms.store(ms(self.timers.now()), Ordering::Relaxed);
    }

    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Resolves once nothing has moved for `limit`. Looks no more often than that.
    pub(super) async fn silence(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
            let deadline = last + limit;
            if self.timers.now() >= deadline {
                if !self.busy.load(Ordering::Relaxed) {
                    return;
                }
                self.touch();
                continue;
            }
            self.timers.sleep_until(deadline).await;
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
