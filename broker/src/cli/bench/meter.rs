//! What is counted while a load runs, and when it has run long enough.

use std::{
    io::IsTerminal,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;

use super::{Length, output};
use crate::clock::{Clock, SystemClock};

/// Shared by all connections of a run. What happens during the warm-up counts only in
/// [`Figures::all`].
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) clock: SystemClock,
    /// The end of the warm-up.
    from: Duration,
    until: Duration,
    bytes_max: u64,
    figures: Mutex<Figures>,
}

#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// From the first request on.
    pub(super) all: Count,
    pub(super) measured: Count,
    /// In nanoseconds, from when a request was meant to be sent.
    pub(super) latency: Histogram<u64>,
    /// When the last measured answer came.
    last: Duration,
}

/// Answered requests, and what was in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Meter {
    /// The run begins now.
    pub(super) fn start(clock: SystemClock, length: &Length) -> anyhow::Result<Self> {
        let from = clock.monotonic() + Duration::from_secs_f64(length.warmup);
        Ok(Self {
            clock,
            from,
            until: from + Duration::from_secs_f64(length.seconds),
            bytes_max: length.mb.map_or(u64::MAX, |mb| mb.saturating_mul(1_000_000)),
            figures: Mutex::new(Figures {
                all: Count::default(),
                measured: Count::default(),
                latency: Histogram::new_with_max(LATENCY_MAX_NS, SIGNIFICANT_DIGITS)?,
                last: from,
            }),
        })
    }

    /// Notes that a request which was meant to be sent at `intended` is answered.
    pub(super) fn answered(&self, intended: Duration, count: Count) {
        let now = self.clock.monotonic();
        let mut figures = self.figures();
        figures.all.add(count);
        if now >= self.from && now < self.until {
            figures.measured.add(count);
            figures.last = now;
            figures.latency.saturating_record(nanoseconds(now.saturating_sub(intended)));
        }
    }

    /// Whether the time is up, or all that was to be moved is moved.
    pub(super) fn is_over(&self) -> bool {
        self.clock.monotonic() >= self.until || self.figures().all.bytes >= self.bytes_max
    }

    /// Resolves when the time is up.
    pub(super) async fn time_is_up(&self) {
        self.clock.sleep_until(self.until).await;
    }

    /// Tells a person every second how it goes; never returns.
    pub(super) async fn show_progress(&self) {
        if !std::io::stderr().is_terminal() {
            return std::future::pending().await;
        }
        let mut before = Count::default();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (all, p99) = {
                let figures = self.figures();
                (figures.all, figures.latency.value_at_quantile(0.99))
            };
            let stage = if self.clock.monotonic() < self.from { "warming up" } else { "measuring" };
            output::progress(&format!(
                "{stage}: {} requests/s, {} MB/s, p99 {} us",
                all.requests - before.requests,
                (all.bytes - before.bytes) / 1_000_000,
                p99 / 1_000,
            ));
            before = all;
        }
    }

    /// How it went, and over how many seconds.
    pub(super) fn finish(&self) -> (Figures, f64) {
        let figures = self.figures().clone();
        let seconds = figures.last.saturating_sub(self.from).as_secs_f64();
        (figures, seconds)
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Latencies are kept to a thousandth of themselves.
const SIGNIFICANT_DIGITS: u8 = 3;
/// A minute; what takes longer counts as this.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_count_from_when_requests_were_meant_to_be_sent() {
        let clock = SystemClock::new();
        let length = Length { seconds: 3600.0, warmup: 0.0, mb: None };
        let meter = Meter::start(clock, &length).unwrap();
        let intended = clock.monotonic();
        std::thread::sleep(Duration::from_millis(2));
        meter.answered(intended, Count::default());
        assert!(meter.finish().0.latency.max() >= 2_000_000);
    }

    #[test]
    fn the_warm_up_is_not_measured() {
        let length = Length { seconds: 3600.0, warmup: 3600.0, mb: Some(1) };
        let meter = Meter::start(SystemClock::new(), &length).unwrap();
        let count = Count { requests: 1, records: 10, bytes: 999_999 };
        meter.answered(Duration::ZERO, count);
        let (figures, _) = meter.finish();
        assert_eq!((figures.all, figures.measured), (count, Count::default()));
        assert!(!meter.is_over());
        meter.answered(Duration::ZERO, count);
        assert!(meter.is_over());
    }
}
