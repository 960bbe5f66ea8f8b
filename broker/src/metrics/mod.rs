//! Counters and gauges, and their names.
//!
//! A component asks the [`Registry`] once for what it counts and keeps it; counting is then one
//! relaxed add to a cell that the thread hardly ever shares.

pub mod names;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use milena_protocol::wire::Str;
use names::Name;

/// All metrics of one broker. Asking twice for the same name and label gives the same metric.
#[derive(Debug, Default)]
pub struct Registry {
    metrics: Mutex<BTreeMap<Key, Metric>>,
    sources: Mutex<Vec<Weak<dyn Source>>>,
}

/// Metrics that are worked out when somebody asks, such as those of each topic.
pub trait Source: Send + Sync + fmt::Debug {
    fn sample(&self) -> Vec<Sample>;
}

impl Registry {
    pub fn counter(&self, name: &'static Name) -> Counter {
        self.counter_of(name, "")
    }

    /// The counter for one value of the metric's label.
    pub fn counter_of(&self, name: &'static Name, label: &'static str) -> Counter {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        match metrics
            .entry(Key { name, label })
            .or_insert_with(|| Metric::Counter(Counter::default()))
        {
            Metric::Counter(counter) => counter.clone(),
            // Two kinds under one name: count apart rather than not at all.
            Metric::Gauge(_) => Counter::default(),
        }
    }

    pub fn gauge(&self, name: &'static Name) -> Gauge {
        self.gauge_of(name, "")
    }

    /// The gauge for one value of the metric's label.
    pub fn gauge_of(&self, name: &'static Name, label: &'static str) -> Gauge {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        match metrics.entry(Key { name, label }).or_insert_with(|| Metric::Gauge(Gauge::default()))
        {
            Metric::Gauge(gauge) => gauge.clone(),
            Metric::Counter(_) => Gauge::default(),
        }
    }

    /// Asks `source` from here on, for as long as somebody else keeps it.
    pub fn add_source(&self, source: &Arc<dyn Source>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.push(Arc::downgrade(source));
    }

    /// Every metric with its label and present value, ordered by name and label.
    pub fn snapshot(&self) -> Vec<Sample> {
        let sources: Vec<_> = {
            let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.iter().filter_map(Weak::upgrade).collect()
        };
        let mut samples = self.own_samples();
        samples.extend(sources.iter().flat_map(|source| source.sample()));
        samples.sort_by(|a, b| (a.name, &a.label).cmp(&(b.name, &b.label)));
        samples
    }

    fn own_samples(&self) -> Vec<Sample> {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = |(key, metric): (&Key, &Metric)| Sample {
            name: key.name,
            label: Str::from_static(key.label),
            value: match metric {
                Metric::Counter(counter) => i64::try_from(counter.get()).unwrap_or(i64::MAX),
                Metric::Gauge(gauge) => gauge.get(),
            },
        };
        metrics.iter().map(sample).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub name: &'static Name,
    /// Empty for a metric without one.
    pub label: Str,
    pub value: i64,
}

/// Only goes up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<[Cell; SHARDS]>);

impl Counter {
    pub fn add(&self, count: u64) {
        if let Some(cell) = self.0.get(shard()) {
            cell.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub fn increment(&self) {
        self.add(1);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum()
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: &'static Name,
    label: &'static str,
}

#[derive(Debug)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
}

/// A cache line of its own, so that threads do not take it from each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cell(AtomicU64);

/// Threads are dealt to the shards in turn.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    MINE.with(|&mine| mine)
}

const SHARDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_label_have_one_counter() {
        let registry = Registry::default();
        registry.counter_of(&names::CONNECTIONS_CLOSED, "panic").increment();
        registry.counter_of(&names::CONNECTIONS_CLOSED, "panic").add(2);
        registry.gauge(&names::CONNECTIONS).set(-4);
        let sample = |name, label, value| Sample { name, label: Str::from_static(label), value };
        assert_eq!(
            registry.snapshot(),
            [sample(&names::CONNECTIONS, "", -4), sample(&names::CONNECTIONS_CLOSED, "panic", 3),]
        );
    }

    #[test]
    fn threads_add_up() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment()));
            }
        });
        assert_eq!(counter.get(), 4_000);
    }
}
