//! Compacts logs on a thread of its own, the dirtiest first, no faster than it may.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use milena_protocol::Timestamp;
use milena_storage::compaction::{Cleanable, CompactError, Pace, Pass, Policy};
use tracing::{error, info, warn};

use super::{Partition, PartitionKey, Replicas};
use crate::{
    config::TopicConfig,
    metrics::{Counter, Gauge, Registry, names},
    purgatory::{Expire, Timers},
    tasks::Spawn,
};

/// What compaction knows between two passes.
#[derive(Debug)]
pub(super) struct Cleaner {
    bell: Arc<Bell>,
    /// Partitions that are left alone until the next start, as something in them cannot be read.
    uncleanable: Mutex<BTreeSet<PartitionKey>>,
    uncleanable_count: Gauge,
    passes: Counter,
    pub(super) bytes: Counter,
}

impl Cleaner {
    pub(super) fn new(metrics: &Registry) -> Self {
        Self {
            bell: Arc::default(),
            uncleanable: Mutex::default(),
            uncleanable_count: metrics.gauge(&names::UNCLEANABLE_PARTITIONS),
            passes: metrics.counter(&names::COMPACTIONS),
            bytes: metrics.counter(&names::COMPACTION_BYTES),
        }
    }

    /// Ends the pass that is under way, and the thread.
    pub(super) fn stop(&self) {
        self.bell.stop();
    }

    fn set_aside(&self, partition: &Partition) {
        let mut uncleanable = lock(&self.uncleanable);
        if uncleanable.insert(partition.key()) {
            self.uncleanable_count.add(1);
        }
    }

    fn is_set_aside(&self, partition: &Partition) -> bool {
        lock(&self.uncleanable).contains(&partition.key())
    }
}

impl Replicas {
    /// Starts the thread that compacts, if there is to be one.
    pub(super) fn start_cleaner(
        self: &Arc<Self>,
        spawn: &dyn Spawn,
    ) -> io::Result<Option<JoinHandle<()>>> {
        if !self.config.load().cleaner_enable {
            info!("compaction is switched off");
            return Ok(None);
        }
        let replicas = Arc::clone(self);
        let body = move || {
            loop {
                while replicas.compact_dirtiest() {}
                let pause = u64::try_from(replicas.config.load().cleaner_backoff_ms).unwrap_or(0);
                let pause = Duration::from_millis(pause).max(PAUSE_MIN);
                let timers = &replicas.shared.timers;
                if !replicas.cleaner.bell.wait_until(timers, timers.now().saturating_add(pause)) {
                    return;
                }
            }
        };
        spawn.thread("cleaner", Box::new(body)).map(Some)
    }

    /// One pass over one log; whether there may be more to do at once.
    pub(super) fn compact_dirtiest(&self) -> bool {
        let now = self.clock.now();
        let Some(candidate) = self.dirtiest(now) else { return false };
        let Candidate { partition, cleanable, policy } = candidate;
        let place = partition.place();
        let (dir, log) = (&place.volume.dir, &place.log);
        let config = self.config.load();
        let pass = Pass {
            from: cleanable.from,
            until: cleanable.until,
            delete_retention_ms: policy.delete_retention_ms,
            now,
            map_bytes: usize::try_from(config.cleaner_dedupe_buffer_bytes).unwrap_or(0),
            seed: self.rng.next_u64(),
        };
        let mut throttle = Throttle {
            bell: &self.cleaner.bell,
            timers: &self.shared.timers,
            partition: &partition,
            bytes: &self.cleaner.bytes,
            bytes_per_second: config.cleaner_io_bytes_per_second,
            due: self.shared.timers.now(),
        };
        if let Err(error) = dir.note_compacting(partition.name(), log, pass.until) {
            warn!(?partition, %error, "could not write down what is to be compacted");
            return false;
        }
        match log.compact(&pass, &mut throttle) {
            Ok(done) => {
                self.cleaner.passes.add(1);
                let noted = dir.note_cleaned(partition.name(), log, done.to);
                if let Err(error) = &noted {
                    // Else the same pass would be made again and again.
                    warn!(?partition, %error, "could not write down what was compacted");
                }
                noted.is_ok()
            }
            Err(CompactError::Interrupted) => false,
            Err(error @ CompactError::Unreadable { .. }) => {
                error!(?partition, %error, "compaction leaves this partition alone from now on");
                self.cleaner.set_aside(&partition);
                true
            }
            Err(error) => {
                warn!(?partition, %error, "compaction failed");
                false
            }
        }
    }

    /// The partition that a pass is due for most: one that waited too long, or else the one with
    /// the greatest share that was not compacted.
    fn dirtiest(&self, now: Timestamp) -> Option<Candidate> {
        let due = self.partitions().into_iter().filter_map(|it| self.candidate(it, now));
        due.max_by(|a, b| {
            let overdue = a.cleanable.overdue.cmp(&b.cleanable.overdue);
            overdue.then(a.cleanable.dirty_ratio().total_cmp(&b.cleanable.dirty_ratio()))
        })
    }

    fn candidate(&self, partition: Arc<Partition>, now: Timestamp) -> Option<Candidate> {
        let config = partition.config();
        let log = partition.log();
        let left_alone = partition.is_copying() || self.cleaner.is_set_aside(&partition);
        if !config.compact || log.offline().is_some() || left_alone {
            return None;
        }
        let policy = policy(&config);
        let (place, name) = (partition.place(), partition.name());
        let dir = &place.volume.dir;
        let cleaned_to = dir.cleaned_to(name);
        let committed = partition.last_stable_offset();
        let mut cleanable = log.cleanable(&policy, cleaned_to, committed, now);
        let noted = dir.recovery_point(name);
        if cleanable.is_due(&policy) && cleanable.until > noted {
            // What a start does not believe must not have gaps.
            if let Err(error) = dir.checkpoint() {
                warn!(dir = %dir.root().display(), %error, "could not write checkpoints");
            }
            let settled = committed.min(dir.recovery_point(name));
            cleanable = log.cleanable(&policy, cleaned_to, settled, now);
        }
        cleanable.is_due(&policy).then_some(Candidate { partition, cleanable, policy })
    }
}

struct Candidate {
    partition: Arc<Partition>,
    cleanable: Cleanable,
    policy: Policy,
}

fn policy(config: &TopicConfig) -> Policy {
    Policy {
        min_dirty_ratio: config.min_dirty_ratio,
        min_lag_ms: config.min_compaction_lag_ms,
        max_lag_ms: config.max_compaction_lag_ms,
        delete_retention_ms: config.delete_retention_ms,
    }
}

/// Spreads what a pass reads and writes over time (`log.cleaner.io.max.bytes.per.second`).
struct Throttle<'a> {
    bell: &'a Arc<Bell>,
    timers: &'a Timers,
    partition: &'a Partition,
    bytes: &'a Counter,
    bytes_per_second: f64,
    /// When all that was read and written so far would be done at that rate.
    due: Duration,
}

impl Pace for Throttle<'_> {
    #[expect(clippy::cast_precision_loss, reason = "bytes of one batch, over a rate")]
    fn spend(&mut self, bytes: u64) -> bool {
        self.bytes.add(bytes);
        if self.bell.is_stopped() || self.partition.is_gone() || self.partition.is_copying() {
            return false;
        }
        let now = self.timers.now();
        let takes = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second);
        self.due = self.due.max(now).saturating_add(takes.unwrap_or(Duration::MAX));
        // Not for every batch: a wait has its price, too.
        self.due <= now.saturating_add(AHEAD_MAX) || self.bell.wait_until(self.timers, self.due)
    }
}

/// What the thread waits for.
#[derive(Debug, Default)]
struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    rung: bool,
    stopped: bool,
}

impl Bell {
    /// False if it was told to stop.
    fn wait_until(self: &Arc<Self>, timers: &Timers, deadline: Duration) -> bool {
        lock(&self.state).rung = false;
        let timer = timers.arm(deadline, Arc::clone(self) as Arc<dyn Expire>);
        let mut state = lock(&self.state);
        while !state.rung && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        timers.cancel(timer);
        !state.stopped
    }

    fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        lock(&self.state).stopped
    }
}

impl Expire for Bell {
    fn expire(&self) {
        lock(&self.state).rung = true;
        self.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// However little `log.cleaner.backoff.ms` is.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// How much earlier than its rate allows a pass may be.
const AHEAD_MAX: Duration = Duration::from_millis(50);
