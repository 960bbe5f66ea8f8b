//! Cuts what arrives into frames.

use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::{
    Incoming,
    activity::Activity,
    budget::{Budget, Lease},
    closed::Closed,
    limits::{
        GROWTH_FACTOR, HALF_FRAME_PROGRESS_BYTES, Limits, READ_BYTES_MAX, READ_BYTES_MIN,
        UNCOUNTED_BYTES_MAX,
    },
    spare,
};
use crate::purgatory::{Sleep, Timers};

/// The receiving side of a connection.
///
/// Small frames that came together are slices of one buffer and cost no system call each. A large
/// one gets a buffer of its own that grows with what has come of it, not with what was claimed;
/// what is there moves while it grows. A peer that has sent a large frame is taken at its word for
/// the next of up to that size: that one is received into a buffer which has room for it, and for
/// the length behind it, by as few calls as it comes in pieces.
///
/// No large buffer is without its share of the budget, from before it is made until nobody holds
/// anything of the frame in it any more. A request that waits without its frame, as a fetch does,
/// keeps no share.
pub(super) struct Frames<'a, R> {
    socket: R,
    limits: &'a Limits,
    budget: &'a Arc<Budget>,
    timers: &'a Timers,
    activity: &'a Activity<'a>,
    buffer: BytesMut,
    /// How much to make room for when nothing is known of what comes.
    step: usize,
    /// The largest of the frames that came lately.
    usual: usize,
    /// How much the buffer was made for, if that is more than reading in steps takes; else 0.
    large: usize,
    /// Of the large buffer.
    lease: Lease,
    /// Runs while half a frame is there.
    patience: Option<Sleep<'a>>,
    /// Bytes that came since then.
    progress: usize,
}

impl<'a, R: Incoming> Frames<'a, R> {
    pub(super) fn new(
        socket: R,
        limits: &'a Limits,
        budget: &'a Arc<Budget>,
        timers: &'a Timers,
        activity: &'a Activity<'a>,
    ) -> Self {
        Self {
            socket,
            limits,
            budget,
            timers,
            activity,
            buffer: BytesMut::new(),
            step: READ_BYTES_MIN,
            usual: 0,
            large: 0,
            lease: budget.lease(),
            patience: None,
            progress: 0,
        }
    }

    /// The next frame, without its length.
    pub(super) async fn next(&mut self) -> Result<Bytes, Closed> {
        loop {
            let want = match self.claimed()? {
                Some(length) if self.buffer.len() >= LENGTH_BYTES + length => {
                    return Ok(self.cut(length).await);
                }
                Some(length) => LENGTH_BYTES + length,
                None => LENGTH_BYTES,
            };
            self.make_room(want).await;
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

    /// Takes the first frame off the buffer. Nobody waits for room while it holds a share of the
    /// budget that only its own going on would give back: what is small is small again before
    /// that, and who has something large may go beyond the limit.
    async fn cut(&mut self, length: usize) -> Bytes {
        self.patience = None;
        self.usual = (LENGTH_BYTES + length).max(self.usual / 2);
        let fills_large = length >= self.large / 2;
        if self.large > 0 && !fills_large && self.buffer.len() <= READ_BYTES_MAX {
            self.give_up_large();
        }
        let counts = length > UNCOUNTED_BYTES_MAX;
        if self.large == 0 {
            let mut lease = self.budget.lease();
            if counts {
                lease.grow_to(length).await;
            }
            self.buffer.advance(LENGTH_BYTES);
            let frame = self.buffer.split_to(length).freeze();
            if counts { Leased::of(frame, lease) } else { frame }
        } else if fills_large {
            self.cut_large(length).await
        } else {
            if counts {
                self.lease.grow_by(length).await;
            }
            // A slice would hold more memory than anybody could tell from it.
            self.buffer.advance(LENGTH_BYTES);
            let frame = Bytes::copy_from_slice(self.buffer.split_at(length).0);
            self.buffer.advance(length);
            if counts { Leased::of(frame, self.lease.split(length)) } else { frame }
        }
    }

    /// Takes a frame with the large buffer that it fills. What came behind it moves.
    async fn cut_large(&mut self, length: usize) -> Bytes {
        let behind = self.buffer.len() - LENGTH_BYTES - length;
        let large = if behind > READ_BYTES_MAX { behind } else { 0 };
        self.lease.grow_by(large).await;
        self.buffer.advance(LENGTH_BYTES);
        let mut next = match (large, behind) {
            (0, 0) => BytesMut::new(),
            (0, _) => spare::take(self.step.max(behind)),
            _ => BytesMut::with_capacity(large),
        };
        next.extend_from_slice(self.buffer.split_at(length).1);
        let mut frame = mem::replace(&mut self.buffer, next);
        frame.truncate(length);
        self.large = large;
        let lease = self.lease.split(large);
        Leased::of(frame, mem::replace(&mut self.lease, lease))
    }

    /// What little is in the large buffer moves to a small one.
    fn give_up_large(&mut self) {
        let mut small = spare::take(self.step.max(self.buffer.len()));
        small.extend_from_slice(&self.buffer);
        self.buffer = small;
        self.large = 0;
        self.lease.release();
    }

    /// Makes room for what is next of a frame of `want` bytes, length included.
    async fn make_room(&mut self, want: usize) {
        let (have, capacity) = (self.buffer.len(), self.buffer.capacity());
        let ahead = have.saturating_mul(GROWTH_FACTOR).max(self.step).max(self.usual);
        let target = want.min(ahead);
        // The last corner of a buffer is not worth a system call, unless the frame ends in it.
        let worth_it = want > LENGTH_BYTES || capacity - have >= READ_BYTES_MIN / 4;
        if capacity == 0 || (capacity >= target && worth_it) {
            return;
        }
        if target <= READ_BYTES_MAX && self.large == 0 {
            self.buffer.reserve(target.max(self.step) - have);
            return;
        }
        let bytes = (target + LENGTH_BYTES).max(self.large);
        self.lease.grow_to(bytes).await;
        // The peer is not to blame for that wait.
        self.patience = None;
        // As large as its share, and not as a buffer that grows by itself would choose.
        let mut last = mem::replace(&mut self.buffer, BytesMut::with_capacity(bytes));
        self.buffer.extend_from_slice(&last);
        if self.large == 0 {
            last.clear();
            spare::leave(last);
        }
        self.large = bytes;
    }

    /// A buffer for what comes next, of which nothing is known.
    fn begin(&mut self) {
        let usual = self.usual + LENGTH_BYTES;
        if usual > READ_BYTES_MAX && self.lease.try_grow_to(usual) {
            self.buffer = BytesMut::with_capacity(usual);
            self.large = usual;
        } else {
            self.buffer = spare::take(self.step);
        }
    }

    /// A connection that waits holds no buffer.
    fn give_up_buffer(&mut self) {
        let buffer = mem::take(&mut self.buffer);
        if self.large == 0 {
            spare::leave(buffer);
        } else {
            self.large = 0;
            self.lease.release();
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<Result<usize, Closed>> {
        if self.buffer.capacity() == 0 {
            ready!(self.socket.poll_ready(cx));
            self.begin();
        }
        let read = self.socket.read_buf(&mut self.buffer);
        match pin!(read).poll(cx) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(Closed::ByPeer(None))),
            Poll::Ready(Ok(count)) => return Poll::Ready(Ok(count)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Closed::ByPeer(Some(error)))),
            Poll::Pending => {}
        }
        if self.buffer.is_empty() {
            self.give_up_buffer();
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

/// A frame's bytes, with what they take of the budget.
struct Leased<T> {
    bytes: T,
    _lease: Lease,
}

impl<T: AsRef<[u8]> + Send + 'static> Leased<T> {
    /// The share goes back with the last slice of the frame.
    fn of(bytes: T, lease: Lease) -> Bytes {
        Bytes::from_owner(Self { bytes, _lease: lease })
    }
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Leased<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
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

    impl Incoming for DuplexStream {
        fn poll_ready(&self, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    struct Fixture {
        limits: Limits,
        budget: Arc<Budget>,
        held: Gauge,
        traffic: Traffic,
        timers: Timers,
    }

    fn fixture() -> Fixture {
        with_budget(1 << 30)
    }

    fn with_budget(bytes: usize) -> Fixture {
        let config = BrokerConfig::from_settings(Default::default()).unwrap();
        let held = Gauge::default();
        let spawn = TokioSpawn::new(tokio::runtime::Handle::current());
        Fixture {
            limits: Limits::from_config(&config),
            budget: Arc::new(Budget::new(bytes, held.clone())),
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
        let one = frames.next().await.unwrap();
        assert_eq!((&one[..], f.held.get()), (&b"one"[..], 0));
        assert_eq!(frames.next().await.unwrap(), "");
        let three = frames.next().await.unwrap();
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
        let mut frame = got.unwrap();
        assert!(frame == body);
        let part = frame.split_off(2_999_999);
        drop(frame);
        assert!(f.held.get() >= 3_000_000, "a part of it is still there");
        drop(part);
        assert_eq!(f.held.get(), 0);
        assert_eq!(frames.next().await.unwrap(), "next");
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
    async fn a_small_frame_does_not_keep_a_large_buffer() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(2 << 20);
        let mut frames = f.frames(socket, &activity);
        let large = framed(&vec![7; 1_000_000]);
        peer.write_all(&large).await.unwrap();
        drop(frames.next().await.unwrap());
        assert_eq!(f.held.get(), 0);

        let small = framed(&[1; 5_000]);
        peer.write_all(&[&small, &*large, &*framed(b"after")].concat()).await.unwrap();
        let frame = frames.next().await.unwrap();
        assert_eq!(frame, small[LENGTH_BYTES..]);
        let buffer = i64::try_from(frames.large).unwrap();
        assert_eq!(f.held.get(), buffer + 5_000, "the buffer that the next is in, and the frame");
        drop(frame);
        let frame = frames.next().await.unwrap();
        assert_eq!(frame, large[LENGTH_BYTES..]);
        assert!(f.held.get() >= 1_000_000, "{}", f.held.get());
        drop(frame);
        assert_eq!(frames.next().await.unwrap(), "after");
        assert_eq!((f.held.get(), frames.large), (0, 0));
    }

    #[tokio::test]
    async fn connections_of_large_frames_do_not_wait_for_each_other() {
        let f = with_budget(2_000_000);
        let activity = Activity::new(&f.timers, &f.traffic);
        let large = framed(&vec![7; 1_000_000]);
        let mut ends = Vec::new();
        for _ in 0..3 {
            let (mut peer, socket) = duplex(2 << 20);
            let mut frames = f.frames(socket, &activity);
            peer.write_all(&large).await.unwrap();
            drop(frames.next().await.unwrap());
            ends.push((peer, frames));
        }
        // Each has room for another large frame by now; a small one comes, and a bit behind it.
        for round in 0..3 {
            for (peer, frames) in &mut ends {
                peer.write_all(&[framed(b"small"), vec![0]].concat()).await.unwrap();
                if round == 0 {
                    let small = frames.next().await.unwrap();
                    assert_eq!((&small[..], frames.large), (&b"small"[..], 0));
                    peer.write_all(&[0; 3]).await.unwrap();
                    assert_eq!(frames.next().await.unwrap(), "");
                }
            }
        }
        assert_eq!(f.held.get(), 0);
    }

    #[tokio::test]
    async fn what_is_behind_a_large_frame_is_paid_for() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(4 << 20);
        let mut frames = f.frames(socket, &activity);
        let large = framed(&vec![7; 2_000_000]);
        peer.write_all(&large).await.unwrap();
        drop(frames.next().await.unwrap());
        let (most, part) = (framed(&vec![7; 1_200_000]), large.split_at(700_000).0);
        peer.write_all(&[&most, part].concat()).await.unwrap();
        let frame = frames.next().await.unwrap();
        assert!(frame == most[LENGTH_BYTES..]);
        assert!(frames.large >= 700_000, "{}", frames.large);
        let frame_held = f.held.get();
        drop(frame);
        assert_eq!(f.held.get(), i64::try_from(frames.large).unwrap());
        assert!(frame_held >= f.held.get() + 1_200_000);
    }

    #[tokio::test]
    async fn a_connection_that_waits_holds_no_buffer() {
        let f = fixture();
        let activity = Activity::new(&f.timers, &f.traffic);
        let (mut peer, socket) = duplex(1 << 20);
        let mut frames = f.frames(socket, &activity);
        for body in [&b"one"[..], &vec![0; 1_000_000]] {
            let bytes = framed(body);
            let (sent, got) = tokio::join!(peer.write_all(&bytes), frames.next());
            sent.unwrap();
            drop(got.unwrap());
            let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), frames.next());
            assert!(waiting.await.is_err());
            assert_eq!((frames.buffer.capacity(), f.held.get()), (0, 0));
        }
    }
}
