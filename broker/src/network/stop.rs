//! Told once, heard by everybody: it is time to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Stop {
    begun: AtomicBool,
    told: Notify,
}

impl Stop {
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
    }

    pub(super) fn is_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) async fn begun(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.begun.load(Ordering::SeqCst) {
            told.await;
        }
    }
}
