//! What waits for a shard's next turn.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

use super::{Machine, Unavailable};
use crate::purgatory::Expire;

/// Requests and alarms, in the order in which they came. Bounded: requests by
/// [`REQUESTS_WAITING_MAX`], alarms by how many the machine has set.
pub(super) struct Inbox<M: Machine> {
    state: Mutex<State<M>>,
    arrived: Notify,
}

struct State<M: Machine> {
    waiting: VecDeque<Job<M>>,
    requests: usize,
    closed: bool,
}

/// Whom to tell how a request ended.
pub(super) type Asker<M> = oneshot::Sender<Result<<M as Machine>::Reply, Unavailable>>;

pub(super) enum Job<M: Machine> {
    Request(M::Request, Asker<M>),
    Ring { due: Duration, subject: M::Subject },
}

impl<M: Machine> Inbox<M> {
    pub(super) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), requests: 0, closed: false };
        Self { state: Mutex::new(state), arrived: Notify::new() }
    }

    /// # Errors
    /// The shard keeps no more requests, or has ended.
    pub(super) fn request(&self, request: M::Request, asker: Asker<M>) -> Result<(), Unavailable> {
        let mut state = self.lock();
        if state.closed {
            return Err(Unavailable::NotHere);
        }
        if state.requests >= REQUESTS_WAITING_MAX {
            return Err(Unavailable::Overloaded);
        }
        state.requests += 1;
        state.waiting.push_back(Job::Request(request, asker));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what waits, up to [`JOBS_PER_TURN`]; empty once the inbox is closed.
    pub(super) async fn take(&self) -> Vec<Job<M>> {
        loop {
            {
                let mut state = self.lock();
                let count = state.waiting.len().min(JOBS_PER_TURN);
                let jobs: Vec<_> = state.waiting.drain(..count).collect();
                let requests = jobs.iter().filter(|job| matches!(job, Job::Request(..))).count();
                state.requests -= requests;
                if !jobs.is_empty() || state.closed {
                    return jobs;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Nothing more is taken in, and what waits is dropped, which tells those who asked.
    pub(super) fn close(&self) {
        let dropped = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        drop(dropped);
        self.arrived.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timer on the wheel that puts an alarm into the inbox.
pub(super) struct Bell<M: Machine> {
    pub(super) inbox: Arc<Inbox<M>>,
    pub(super) due: Duration,
    pub(super) subject: M::Subject,
}

impl<M: Machine> Expire for Bell<M> {
    fn expire(&self) {
        let mut state = self.inbox.lock();
        if state.closed {
            return;
        }
        state.waiting.push_back(Job::Ring { due: self.due, subject: self.subject.clone() });
        drop(state);
        self.inbox.arrived.notify_one();
    }
}

const REQUESTS_WAITING_MAX: usize = 10_000;
/// Requests and alarms that share one append.
const JOBS_PER_TURN: usize = 1024;
