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
    spare,
};
use crate::purgatory::{Sleep, Timers};

/// The receiving side of a connection.
///
/// Small frames that came together are slices of one buffer and cost no system call each. A large
/// one gets a buffer that grows with what has come of it, not with what was claimed; what is there
/// moves while it grows. A peer that has sent a whole frame of a size is taken at its word for the
/// next of up to that size, so that in a stream of large ones nothing moves.
pub(super) struct Frames<'a, R> {
    socket: R,
    limits: &'a Limits,
    budget: &'a Arc<Budget>,
    timers: &'a Timers,
    activity: &'a Activity<'a>,
    buffer: BytesMut,
    /// How much to make room for when nothing is known of what comes.
    step: usize,
    /// The largest frame that has come whole.
    proven: usize,
    /// The buffer was made for a large frame.
    large: bool,
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
        Self {
            socket,
            limits,
            budget,
            timers,
            activity,
            buffer,
            step,
            proven: 0,
            large: false,
            patience: None,
            progress: 0,
        }
    }

    /// The next frame, without its length, and its share of the budget.
    pub(super) async fn next(&mut self) -> Result<(Bytes, Lease), Closed> {
        let mut lease = self.budget.lease();
        loop {
            let want = match self.claimed()? {
                Some(length) if self.buffer.len() >= LENGTH_BYTES + length => {
                    self.patience = None;
                    self.proven = self.proven.max(LENGTH_BYTES + length);
                    lease.grow_to(length).await;
                    self.buffer.advance(LENGTH_BYTES);
                    return Ok((self.buffer.split_to(length).freeze(), lease));
                }
                Some(length) => LENGTH_BYTES + length,
                None => LENGTH_BYTES,
            };
            self.make_room(want, &mut lease).await;
            let count = poll_fn(|cx| self.poll_read(cx, want)).await?;
            self.activity.received(count);
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

    /// Makes room for what is next of a frame of `want` bytes, length included.
    async fn make_room(&mut self, want: usize, lease: &mut Lease) {
        let (have, capacity) = (self.buffer.len(), self.buffer.capacity());
        let ahead = have.saturating_mul(GROWTH_FACTOR).max(self.step).max(self.proven);
        let target = want.min(ahead);
        // The last corner of a buffer is not worth a system call, unless the frame ends in it.
        let worth_it = want > LENGTH_BYTES || capacity - have >= READ_BYTES_MIN / 4;
        if capacity >= target && worth_it {
            return;
        }
        if target > READ_BYTES_MAX {
            lease.grow_to(target).await;
            self.large = true;
            // The peer is not to blame for that wait.
            self.patience = None;
        }
        self.buffer.reserve(target.max(self.step) - have);
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<Result<usize, Closed>> {
        // Empty since the last look, which found nothing to read.
        if self.buffer.capacity() == 0 {
            self.buffer = spare::take(self.step);
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
            let buffer = std::mem::take(&mut self.buffer);
            if !std::mem::take(&mut self.large) {
                spare::leave(buffer);
            }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::{
        clock::SystemClock,
        config::BrokerConfig,
        metrics::{Gauge, Registry},
        network::activity::Traffic,
        tasks::TokioSpawn,
    };

    struct Fixture {
        limits: Limits,
        budget: Arc<Budget>,
        held: Gauge,
        traffic: Traffic,
        timers: Timers,
    }

    fn fixture() -> Fixture {
        let config = BrokerConfig::from_settings(Default::default()).unwrap();
        let held = Gauge::default();
        let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
        Fixture {
            limits: Limits::from_config(&config),
            budget: Arc::new(Budget::new(1 << 30, held.clone())),
            held,
            traffic: Traffic::new(&Registry::default()),
            timers: Timers::start(Arc::new(SystemClock::new()), &spawn),
        }
    }

    impl Fixture {
        fn frames<'a>(
            &'a self,
            socket: DuplexStream,
            activity: &'a Activity<'a>,
        ) -> Frames<'a, DuplexStream> {
            Frames::new(socket, &self.limits, &self.budget, &self.timers, activity)
        }
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        [&i32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
    }

    #[tokio::test]
    async fn frames_that_came_together_are_slices_of_one_buffer() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(1 << 20);
        let mut frames = f.frames(socket, &activity);
        peer.write_all(&[framed(b"one"), framed(b""), framed(b"three")].concat()).await.unwrap();
        let (one, lease) = frames.next().await.unwrap();
        assert_eq!((&one[..], f.held.get()), (&b"one"[..], 3));
        drop(lease);
        assert_eq!(frames.next().await.unwrap().0, "");
        let (three, _lease) = frames.next().await.unwrap();
        assert_eq!(three, "three");
        let apart = three.as_ptr() as usize - one.as_ptr() as usize;
        assert_eq!(apart, "one".len() + 2 * LENGTH_BYTES);
    }

    #[tokio::test]
    async fn a_large_frame_comes_whole_and_is_paid_for() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(50_000);
        let mut frames = f.frames(socket, &activity);
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let bytes = [framed(&body), framed(b"next")].concat();
        let (sent, got) = tokio::join!(peer.write_all(&bytes), frames.next());
        sent.unwrap();
        let (frame, lease) = got.unwrap();
        assert!(frame == body);
        assert!(f.held.get() >= 3_000_000);
        drop(lease);
        assert_eq!(f.held.get(), 0);
        assert_eq!(frames.next().await.unwrap().0, "next");
    }

    #[tokio::test]
    async fn memory_follows_what_came_and_not_what_was_claimed() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(1 << 20);
        let mut frames = f.frames(socket, &activity);
        peer.write_all(&100_000_000_i32.to_be_bytes()).await.unwrap();
        for (come, bound) in [(100, READ_BYTES_MIN), (40_000, 200_000), (400_000, 2_000_000)] {
            peer.write_all(&vec![0; come]).await.unwrap();
            let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), frames.next());
            assert!(waiting.await.is_err());
            let capacity = frames.buffer.capacity();
            assert!(capacity <= bound, "{capacity} bytes after {come}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_waits_holds_no_buffer() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(1 << 20);
        let mut frames = f.frames(socket, &activity);
        peer.write_all(&framed(b"one")).await.unwrap();
        drop(frames.next().await.unwrap());
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), frames.next());
        assert!(waiting.await.is_err());
        assert_eq!(frames.buffer.capacity(), 0);
    }
}
