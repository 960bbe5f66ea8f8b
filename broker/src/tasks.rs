//! The only place that spawns tasks and threads.

use std::{fmt, io, pin::Pin, thread};

use tokio::runtime::Handle;

pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts what runs beside its caller. Nobody is told how a task ends: one that matters says so
/// itself.
pub trait Spawn: Send + Sync + fmt::Debug {
    /// Runs `task` on the runtime. A panic ends that task alone.
    fn task(&self, task: Task);

    /// Runs `body` on a thread of its own, for work that blocks.
    ///
    /// # Errors
    /// The system may have no thread left.
    fn thread(
        &self,
        name: &str,
        body: Box<dyn FnOnce() + Send>,
    ) -> io::Result<thread::JoinHandle<()>>;
}

/// Tasks on one tokio runtime, threads from the system.
#[derive(Clone, Debug)]
pub struct TokioSpawn {
    runtime: Handle,
}

impl TokioSpawn {
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self { runtime }
    }
}

impl Spawn for TokioSpawn {
    fn task(&self, task: Task) {
        self.runtime.spawn(task);
    }

    fn thread(
        &self,
        name: &str,
        body: Box<dyn FnOnce() + Send>,
    ) -> io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name(name.to_owned()).spawn(body)
    }
}
