//! The one timing wheel of a broker and the task that turns it: it sleeps until the earliest
//! deadline, and without one until there is one.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    operation::Operation,
    wheel::{TimerId, TimingWheel},
};
use crate::{clock::Clock, tasks::Spawn};

/// Arms and disarms timers, from any thread. Deadlines are times of [`Clock::monotonic`]; a timer
/// never expires early and at most a millisecond late, as far as the clock's sleep allows.
pub struct Timers {
    shared: Arc<Shared>,
}

/// Told, on the wheel's task, that its time has come: it must be quick and must not block.
pub trait Expire: Send + Sync {
    fn expire(&self);
}

impl Timers {
    /// Starts the task that turns the wheel; it ends when this is dropped.
    #[must_use]
    pub fn start(clock: Arc<dyn Clock>, spawn: &dyn Spawn) -> Self {
        let wheel = TimingWheel::new(floor_ms(clock.monotonic()));
        let state = State { wheel, awake_at: u64::MAX, stopped: false };
        let shared = Arc::new(Shared { clock, state: Mutex::new(state), changed: Notify::new() });
        spawn.task(Box::pin(turn(Arc::clone(&shared))));
        Self { shared }
    }

    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    /// Arms a timer that calls `target` once, unless it is cancelled before.
    pub fn arm(&self, deadline: Duration, target: Arc<dyn Expire>) -> TimerId {
        let deadline = ceil_ms(deadline);
        let mut state = self.shared.lock();
        let id = state.wheel.insert(deadline, target);
        let sooner = deadline < state.awake_at;
        if sooner {
            state.awake_at = deadline;
        }
        drop(state);
        if sooner {
            self.shared.changed.notify_one();
        }
        id
    }

    /// Disarms a timer; false if it has expired or was cancelled before.
    pub fn cancel(&self, id: TimerId) -> bool {
        // The wheel's task is not told: if it wakes for nothing, it does so once.
        let cancelled = self.shared.lock().wheel.cancel(id);
        cancelled.is_some()
    }

    /// Timers that are armed.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.shared.lock().wheel.len()
    }

    /// Resolves at `deadline`.
    pub fn sleep_until(&self, deadline: Duration) -> Sleep<'_> {
        let operation = Arc::new(Operation::unconditional());
        let timer = self.arm(deadline, Arc::clone(&operation) as Arc<dyn Expire>);
        Sleep { timers: self, operation, timer }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("armed", &self.armed()).finish_non_exhaustive()
    }
}

/// See [`Timers::sleep_until`]. Dropping it disarms its timer.
#[must_use]
#[derive(Debug)]
pub struct Sleep<'a> {
    timers: &'a Timers,
    operation: Arc<Operation>,
    timer: TimerId,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.operation.poll(cx).map(|_| ())
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.timers.cancel(self.timer);
    }
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    wheel: TimingWheel<Arc<dyn Expire>>,
    /// When the wheel's task will look at the wheel next.
    awake_at: u64,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn turn(shared: Arc<Shared>) {
    let mut expired = Vec::new();
    loop {
        let next = {
            let mut state = shared.lock();
            if state.stopped {
                return;
            }
            state.wheel.advance(floor_ms(shared.clock.monotonic()), &mut expired);
            let next = state.wheel.next_deadline();
            state.awake_at = next.unwrap_or(u64::MAX);
            next
        };
        for target in expired.drain(..) {
            target.expire();
        }
        match next {
            None => shared.changed.notified().await,
            Some(next) => tokio::select! {
                () = shared.clock.sleep_until(Duration::from_millis(next)) => {}
                () = shared.changed.notified() => {}
            },
        }
    }
}

fn floor_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ceil_ms(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
