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
    fn log(&self) -> Arc<Log>;

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

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::mpsc, thread};

    use super::*;
    use crate::{
        fs::{
            Disk,
            sim::{Call, Fault, SimDisk},
        },
        log::tests::{append, open, small},
    };

    struct Owner {
        log: Arc<Log>,
        outcomes: mpsc::Sender<Result<Offset, FlushError>>,
    }

    impl Flushed for Owner {
        fn log(&self) -> Arc<Log> {
            Arc::clone(&self.log)
        }

        fn flushed(&self, outcome: Result<Offset, FlushError>) {
            let _ = self.outcomes.send(outcome);
        }
    }

    fn owner(disk: &SimDisk) -> (Arc<Owner>, mpsc::Receiver<Result<Offset, FlushError>>) {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let (outcomes, told) = mpsc::channel();
        let (log, _) = open(&disk, Path::new("/log"), &small());
        (Arc::new(Owner { log: Arc::new(log), outcomes }), told)
    }

    #[test]
    fn many_requests_before_a_sync_share_it() {
        let (owner, told) = owner(&SimDisk::new());
        let (syncer, thread) = Syncer::new();
        for at in 0..5 {
            append(&owner.log, at, &["value"]);
            syncer.request(&owner);
        }
        syncer.stop();
        thread.run();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [Ok(Offset(5))]);
    }

    #[test]
    fn every_append_is_told_of_sooner_or_later() {
        let (owner, told) = owner(&SimDisk::new());
        let (syncer, run) = Syncer::new();
        thread::scope(|scope| {
            scope.spawn(|| run.run());
            for at in 0..200 {
                append(&owner.log, at, &["value"]);
                syncer.request(&owner);
                if at % 50 == 49 {
                    let end = Offset(at + 1);
                    assert!(told.iter().any(|outcome| outcome == Ok(end)));
                }
            }
            syncer.stop();
        });
        assert_eq!(owner.log.flushed_offset(), Offset(200));
    }

    #[test]
    fn a_failed_sync_is_told_and_not_tried_again() {
        let disk = SimDisk::new();
        let (owner, told) = owner(&disk);
        let (syncer, thread) = Syncer::new();
        append(&owner.log, 1, &["value"]);
        disk.inject(Fault::once(Call::Sync, ".log"));
        syncer.request(&owner);
        syncer.stop();
        thread.run();
        assert!(told.recv().unwrap().is_err());
        assert!(owner.log.offline().is_some());
    }
}
