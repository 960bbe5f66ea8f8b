//! One thing that waits: for its condition, or for its time to run out, whichever is first.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::timers::Expire;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was waited for has come.
    Ready,
    /// The deadline passed first, or the broker is stopping.
    Expired,
}

/// Completes exactly once, by whoever comes first; the others learn that they came late.
pub(super) struct Operation {
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Operation {
    pub(super) fn when(ready: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { ready: Box::new(ready), state: Mutex::default() }
    }

    /// One that takes any notification for what it waits for.
    pub(super) fn unconditional() -> Self {
        Self::when(|| true)
    }

    /// Completes it if its condition holds. True for the one call that did.
    pub(super) fn try_complete(&self) -> bool {
        self.lock().outcome.is_none() && (self.ready)() && self.complete(Outcome::Ready)
    }

    /// True for the one call that completed it.
    pub(super) fn complete(&self, outcome: Outcome) -> bool {
        let waker = {
            let mut state = self.lock();
            if state.outcome.is_some() {
                return false;
            }
            state.outcome = Some(outcome);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.lock();
        if let Some(outcome) = state.outcome {
            return Poll::Ready(outcome);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expire for Operation {
    fn expire(&self) {
        self.complete(Outcome::Expired);
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("outcome", &self.lock().outcome).finish_non_exhaustive()
    }
}
