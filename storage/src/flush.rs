//! Group commit: many waiters share one fdatasync.
//!
//! Whoever appended asks for a sync and goes on. One thread takes all logs that were asked for,
//! syncs each once and reports how far it got; meanwhile the next group gathers. So the slower the
//! disk, the more appends one sync serves.

use std::{
    fmt, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use milena_protocol::Offset;

use crate::log::{FlushError, Log};

/// A log's owner, who wants to know what is durable.
pub trait Flushed: Send + Sync {
    fn log(&self) -> &Log;

    /// Everything below the offset survives a crash; or the log went offline, and nothing more of
    /// it will ever be durable. Called by the syncing thread, which does nothing else meanwhile.
    fn flushed(&self, outcome: Result<Offset, FlushError>);
}

/// Where syncs are asked for. A clone is the same syncer.
#[derive(Clone, Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
}

/// The other end, to be run by a thread of its own.
#[derive(Debug)]
pub struct SyncLoop {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Each log at most once, so that it is as bounded as the number of logs.
    waiting: Vec<Arc<dyn Flushed>>,
    stopped: bool,
}

impl Syncer {
    #[must_use]
    pub fn new() -> (Self, SyncLoop) {
        let shared = Arc::new(Shared::default());
        (Self { shared: Arc::clone(&shared) }, SyncLoop { shared })
    }

    /// Has `owner`'s log synced up to where it ends now, or further. Never waits for a sync; costs
    /// one atomic operation if the log is in the queue already.
    pub fn request<F: Flushed + 'static>(&self, owner: &Arc<F>) {
        if owner.log().set_awaits_sync(true) {
            return;
        }
        self.shared.queue().waiting.push(Arc::<F>::clone(owner));
        self.shared.arrived.notify_one();
    }

    /// Lets [`SyncLoop::run`] return once what was asked for before is done.
    pub fn stop(&self) {
        self.shared.queue().stopped = true;
        self.shared.arrived.notify_one();
    }
}

impl SyncLoop {
    /// Blocks for as long as the syncer is not stopped.
    pub fn run(self) {
        let mut group = Vec::new();
        while self.shared.next_group(&mut group) {
            for owner in group.drain(..) {
                let log = owner.log();
                // What is appended from here on asks again, and may find itself synced already.
                log.set_awaits_sync(false);
                owner.flushed(log.flush());
            }
        }
    }
}

impl Shared {
    /// Waits for logs to sync; false if there are none and never will be.
    fn next_group(&self, group: &mut Vec<Arc<dyn Flushed>>) -> bool {
        let mut queue = self.queue();
        while queue.waiting.is_empty() {
            if queue.stopped {
                return false;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut queue.waiting, group);
        true
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue();
        write!(f, "Syncer({} waiting, stopped: {})", queue.waiting.len(), queue.stopped)
    }
}
