//! Requests that were started, on their way from the reading to the writing half of a connection.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use milena_protocol::wire::{Chunk, Frame};

use super::limits::{IN_FLIGHT_REQUESTS_MAX, UNSENT_BYTES_MAX};
use crate::dispatch::Answer;

/// A request that was started.
pub(super) enum InFlight {
    Waiting(Answer),
    Done(Frame),
}

/// In the order in which they were started, and no more than there may be.
///
/// Both halves are one task, which polls the writing half after the reading one and asks
/// [`Queue::has_made_room`] then: nothing here wakes anybody.
#[derive(Default)]
pub(super) struct Queue {
    // Never contended; it makes the task one that may move between threads.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    requests: VecDeque<InFlight>,
    /// Memory of answers that are there before their turn. The reading half stops while it is too
    /// much: a peer that does not read its answers gets no more of them.
    unsent_bytes: usize,
    /// The reading half waits for room.
    wanted: bool,
    closed: bool,
}

impl Queue {
    /// Adds a request, after [`Queue::poll_room`] has found room.
    pub(super) fn push(&self, request: InFlight) {
        let mut inner = self.lock();
        if let InFlight::Done(frame) = &request {
            inner.unsent_bytes += memory_of(frame);
        }
        inner.requests.push_back(request);
    }

    /// Ready once one more request may be started.
    pub(super) fn poll_room(&self) -> Poll<()> {
        let mut inner = self.lock();
        inner.wanted = !inner.has_room();
        if inner.wanted { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether what [`Queue::poll_room`] waited for is there.
    pub(super) fn has_made_room(&self) -> bool {
        let inner = self.lock();
        inner.wanted && inner.has_room()
    }

    /// The oldest request; `None` once there will be no more.
    pub(super) fn poll_next(&self) -> Poll<Option<InFlight>> {
        let mut inner = self.lock();
        match inner.requests.pop_front() {
            Some(request) => Poll::Ready(Some(request)),
            None if inner.closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Forgets answers that are sent, as much memory as [`memory_of`] said.
    pub(super) fn sent(&self, bytes: usize) {
        self.lock().unsent_bytes -= bytes;
    }

    /// No more requests will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.requests.len() < IN_FLIGHT_REQUESTS_MAX && self.unsent_bytes < UNSENT_BYTES_MAX
    }
}

/// What an answer holds until it is sent. Files do not count.
pub(super) fn memory_of(frame: &Frame) -> usize {
    let in_memory = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::Range(_) => 0,
    };
    frame.chunks().map(in_memory).sum()
}
