//! Keeps the order of one connection's requests where some of them have to wait before they act.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};

/// A row in which each waits for the one before it, and for nobody else.
#[derive(Debug, Default)]
pub struct Turns {
    /// Resolves when the last one in the row is done.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Turns {
    /// Whether somebody is in the row: who acts now acts out of turn.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        let mut last = self.last();
        let taken = matches!(
            last.as_mut().map(oneshot::Receiver::try_recv),
            Some(Err(TryRecvError::Empty))
        );
        if !taken {
            *last = None;
        }
        taken
    }

    /// Takes the next place. Whoever comes later waits until this is dropped.
    #[must_use]
    pub fn take(&self) -> Turn {
        let (done, last) = oneshot::channel();
        Turn { before: self.last().replace(last), _done: done }
    }

    fn last(&self) -> MutexGuard<'_, Option<oneshot::Receiver<()>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the row.
#[derive(Debug)]
pub struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Turn {
    /// Resolves when it has come.
    pub async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // Done, or given up: either way nobody is before us.
            let _ = before.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn has_come(turn: &mut Turn) -> bool {
        let mut come = pin!(turn.come());
        come.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn each_waits_for_the_one_before_it() {
        let turns = Turns::default();
        assert!(!turns.is_taken());
        let mut first = turns.take();
        let second = turns.take();
        let mut third = turns.take();
        assert!(turns.is_taken() && has_come(&mut first));
        drop(first);
        let mut come = Box::pin(third.come());
        let mut poll = || come.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll(), Poll::Pending);
        drop(second);
        assert_eq!(poll(), Poll::Ready(()));
        drop(come);
        assert!(turns.is_taken());
        drop(third);
        assert!(!turns.is_taken());
    }
}
