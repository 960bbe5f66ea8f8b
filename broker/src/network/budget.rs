//! One bound for the memory of all requests, on all connections together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::metrics::Gauge;

/// Bytes that may be held. Who finds less than its share waits; its peer notices by a socket that
/// is not read.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    held: AtomicUsize,
    shown: Gauge,
    waiting: AtomicUsize,
    freed: Notify,
    overdraft: Arc<Semaphore>,
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    budget: Arc<Budget>,
    bytes: usize,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new(limit: usize, shown: Gauge) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            shown,
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            overdraft: Arc::new(Semaphore::new(1)),
        }
    }

    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), bytes: 0, overdraft: None }
    }

    /// What is taken may exceed the limit once, so that no request is too big to ever pass.
    fn try_take(&self, bytes: usize) -> bool {
        let add = |held: usize| (held < self.limit).then(|| held.saturating_add(bytes));
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_ok()
    }

    async fn take(&self, bytes: usize) {
        // Counted before the last look, so that whoever frees after it sees that somebody waits.
        let _waiting = Waiting::count(&self.waiting);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.try_take(bytes) {
                return;
            }
            freed.await;
        }
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

impl Lease {
    /// Takes what is missing to `bytes`, if anything is.
    pub(super) async fn grow_to(&mut self, bytes: usize) {
        if let Some(more) = bytes.checked_sub(self.bytes).filter(|&more| more > 0) {
            self.grow(more).await;
        }
    }

    /// Takes so much more.
    pub(super) async fn grow_by(&mut self, bytes: usize) {
        self.grow_to(self.bytes + bytes).await;
    }

    /// Passes so much of it on. Leave to go beyond the limit stays here.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), bytes, overdraft: None }
    }

    /// The same as [`Self::grow_to`], if it can be had at once.
    pub(super) fn try_grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = more == 0 || self.budget.try_take(more);
        if taken {
            self.add(more);
        }
        taken
    }

    /// Gives all of it back.
    pub(super) fn release(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
            self.budget.shown.add(-i64::try_from(self.bytes).unwrap_or(i64::MAX));
        }
        self.bytes = 0;
        self.overdraft = None;
    }

    /// Takes more, once it is there. Of those that have a part of their request already one at a
    /// time may go beyond the limit: if half requests held all of it, none would ever be whole.
    async fn grow(&mut self, bytes: usize) {
        if !self.budget.try_take(bytes) {
            let budget = Arc::clone(&self.budget);
            if self.bytes == 0 {
                budget.take(bytes).await;
            } else if self.overdraft.is_some() {
                budget.held.fetch_add(bytes, Ordering::AcqRel);
            } else {
                tokio::select! {
                    () = budget.take(bytes) => {}
                    Ok(permit) = Arc::clone(&budget.overdraft).acquire_owned() => {
                        budget.held.fetch_add(bytes, Ordering::AcqRel);
                        self.overdraft = Some(permit);
                    }
                }
            }
        }
        self.add(bytes);
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.budget.shown.add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn count(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll(grow: std::pin::Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        grow.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_finds_nothing_left_waits_for_what_is_given_back() {
        let budget = Arc::new(Budget::new(100, Gauge::default()));
        let (mut first, mut second) = (budget.lease(), budget.lease());
        assert_eq!(poll(pin!(first.grow(150))), Poll::Ready(()), "too big, but the only one");
        let mut grow = pin!(second.grow(10));
        assert_eq!(poll(grow.as_mut()), Poll::Pending);
        drop(first);
        assert_eq!(poll(grow.as_mut()), Poll::Ready(()));
        assert_eq!(budget.shown.get(), 10);
    }

    #[test]
    fn one_of_the_half_requests_may_go_on_when_they_hold_it_all() {
        let budget = Arc::new(Budget::new(100, Gauge::default()));
        let (mut first, mut second) = (budget.lease(), budget.lease());
        assert_eq!(poll(pin!(first.grow(50))), Poll::Ready(()));
        assert_eq!(poll(pin!(second.grow(50))), Poll::Ready(()));
        assert_eq!(poll(pin!(first.grow(50))), Poll::Ready(()));
        assert_eq!(poll(pin!(first.grow(50))), Poll::Ready(()));
        {
            let mut grow = pin!(second.grow(50));
            assert_eq!(poll(grow.as_mut()), Poll::Pending);
            drop(first);
            assert_eq!(poll(grow.as_mut()), Poll::Ready(()));
        }
        drop(second);
        assert_eq!((budget.held.load(Ordering::SeqCst), budget.shown.get()), (0, 0));
    }
}
