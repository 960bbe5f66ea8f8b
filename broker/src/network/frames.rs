//! Cuts what arrives into frames.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    activity::Activity,
    budget::{Budget, Lease},
    closed::Closed,
    limits::{GROWTH_FACTOR, HALF_FRAME_PROGRESS_BYTES, Limits, READ_BYTES_MAX, READ_BYTES_MIN},
};
use crate::purgatory::{Sleep, Timers};

/// The receiving side of a connection.
///
/// Small frames that came together are slices of one buffer and cost no system call each. A large
/// one gets a buffer that grows with what has come of it, not with what was claimed; while it
/// grows, what is there moves, which is less than half of the frame in the end.
pub(super) struct Frames<'a, R> {
    socket: R,
    limits: &'a Limits,
    budget: &'a Arc<Budget>,
    timers: &'a Timers,
    activity: &'a Activity<'a>,
    buffer: BytesMut,
    /// How much to make room for when nothing is known of what comes.
    step: usize,
    /// Runs while half a frame is there.
    patience: Option<Sleep<'a>>,
    /// Bytes that came since then.
    progress: usize,
}

impl<'a, R: AsyncRead + Unpin> Frames<'a, R> {
    pub(super) fn new(
        socket: R,
        limits: &'a Limits,
        budget: &'a Arc<Budget>,
        timers: &'a Timers,
        activity: &'a Activity<'a>,
    ) -> Self {
        let (buffer, step) = (BytesMut::new(), READ_BYTES_MIN);
        let (patience, progress) = (None, 0);
        Self { socket, limits, budget, timers, activity, buffer, step, patience, progress }
    }

    /// The next frame, without its length, and its share of the budget.
    pub(super) async fn next(&mut self) -> Result<(Bytes, Lease), Closed> {
        let mut lease = self.budget.lease();
        loop {
            let want = match self.claimed()? {
                Some(length) if self.buffer.len() >= LENGTH_BYTES + length => {
                    self.patience = None;
                    lease.grow_to(length).await;
                    self.buffer.advance(LENGTH_BYTES);
                    return Ok((self.buffer.split_to(length).freeze(), lease));
                }
                Some(length) => LENGTH_BYTES + length,
                None => LENGTH_BYTES,
            };
            self.make_room(want, &mut lease).await;
            let count = poll_fn(|cx| self.poll_read(cx, want)).await?;
            self.activity.touch();
            self.adapt(count);
        }
    }

    /// The length that the next frame begins with, once that has come.
    fn claimed(&self) -> Result<Option<usize>, Closed> {
        let Some(&first) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        match usize::try_from(i32::from_be_bytes(first)) {
            Ok(length) if length <= self.limits.frame_bytes => Ok(Some(length)),
            _ => Err(Closed::by_length(first, self.limits.frame_bytes)),
        }
    }

    async fn make_room(&mut self, want: usize, lease: &mut Lease) {
        let have = self.buffer.len();
        let ahead = have.saturating_mul(GROWTH_FACTOR).max(self.step);
        let target = want.min(ahead);
        if self.buffer.capacity() >= target && self.buffer.capacity() > have {
            return;
        }
        if target > READ_BYTES_MAX {
            lease.grow_to(target).await;
            // The peer is not to blame for that wait.
            self.patience = None;
        }
        self.buffer.reserve(target.max(self.step.min(ahead)) - have);
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<Result<usize, Closed>> {
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(self.step);
        }
        let read = self.socket.read_buf(&mut self.buffer);
        match pin!(read).poll(cx) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(Closed::ByPeer(None))),
            Poll::Ready(Ok(count)) => return Poll::Ready(Ok(count)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Closed::ByPeer(Some(error)))),
            Poll::Pending => {}
        }
        if self.buffer.is_empty() {
            // A connection that waits holds no buffer.
            self.buffer = BytesMut::new();
            return Poll::Pending;
        }
        let (timers, limit) = (self.timers, self.limits.half_frame);
        let patience =
            self.patience.get_or_insert_with(|| timers.sleep_until(timers.now() + limit));
        let have = self.buffer.len();
        Pin::new(patience).poll(cx).map(|()| Err(Closed::HalfFrame { have, want }))
    }

    fn adapt(&mut self, count: usize) {
        if self.buffer.capacity() == self.buffer.len() {
            self.step = (self.step * 2).min(READ_BYTES_MAX);
        } else if count < self.step / 4 {
            self.step = (self.step / 2).max(READ_BYTES_MIN);
        }
        self.progress += count;
        if self.progress >= HALF_FRAME_PROGRESS_BYTES {
            self.progress = 0;
            self.patience = None;
        }
    }
}

const LENGTH_BYTES: usize = 4;
