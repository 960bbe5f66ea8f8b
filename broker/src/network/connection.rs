//! One connection: requests taken and started in order, answers sent in that order.

use std::{
    collections::VecDeque,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use milena_protocol::wire::{Chunk, Frame};

use super::{
    Incoming, Outgoing, Socket,
    activity::{Activity, Traffic},
    budget::Budget,
    closed::Closed,
    frames::Frames,
    limits::{GATHERED_BYTES_MAX, Limits, TURNS_MAX},
    queue::{InFlight, Queue, memory_of},
    stop::Stop,
};
use crate::{
    dispatch::{Answer, Dispatch, Peer, Refusal, Started},
    purgatory::Timers,
};

/// What all connections share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) timers: Arc<Timers>,
    pub(super) limits: Limits,
    pub(super) budget: Arc<Budget>,
    pub(super) traffic: Traffic,
}

/// Serves `socket` to its end. A panic of a handler ends it, too, and nothing else.
pub(super) async fn run(
    socket: impl Socket,
    peer: Arc<Peer>,
    shared: &Shared,
    stopping: Arc<Stop>,
) -> Closed {
    contain(pin!(serve(socket, peer, shared, stopping))).await
}

/// Turns a panic of `serving` into an end like any other. It is not polled again: what it left
/// half done is dropped with it.
async fn contain(mut serving: Pin<&mut impl Future<Output = Closed>>) -> Closed {
    poll_fn(move |cx| {
        let poll = AssertUnwindSafe(|| serving.as_mut().poll(cx));
        catch_unwind(poll).unwrap_or(Poll::Ready(Closed::Panicked))
    })
    .await
}

async fn serve(
    socket: impl Socket,
    peer: Arc<Peer>,
    shared: &Shared,
    stopping: Arc<Stop>,
) -> Closed {
    let (incoming, outgoing) = socket.into_halves();
    let activity = Activity::new(&shared.timers, &shared.traffic);
    let queue = Queue::default();
    let frames = Frames::new(incoming, &shared.limits, &shared.budget, &shared.timers, &activity);
    let mut reading = pin!(read(frames, &shared.dispatch, peer, &queue, stopping));
    let mut writing = pin!(write(outgoing, &queue, &activity));
    let mut silence = pin!(activity.silence(shared.limits.idle));
    let end = poll_fn(|cx| {
        // What was read is written in the same turn, and what waited for room is read in it, so
        // that neither half ever wakes the other: that would cost system calls.
        for _ in 0..TURNS_MAX {
            if let Poll::Ready(closed) = reading.as_mut().poll(cx) {
                return Poll::Ready(End::OfReading(closed));
            }
            if let Poll::Ready(closed) = writing.as_mut().poll(cx) {
                return Poll::Ready(End::OfAll(closed));
            }
            if !queue.has_made_room() {
                return silence.as_mut().poll(cx).map(|()| End::OfAll(Closed::Idle));
            }
        }
        // A peer that always has more to ask leaves the thread to others now and then.
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let end_of_reading = match end.await {
        End::OfReading(closed) => closed,
        End::OfAll(closed) => return closed,
    };
    if let Closed::ByPeer(_) = end_of_reading {
        return end_of_reading;
    }
    // What came before the end is still answered.
    queue.close();
    tokio::select! {
        broken = writing => match broken {
            Closed::Stopping => end_of_reading,
            broken => broken,
        },
        () = silence => end_of_reading,
    }
}

enum End {
    OfReading(Closed),
    OfAll(Closed),
}

async fn read(
    mut frames: Frames<'_, impl Incoming>,
    dispatch: &Dispatch,
    peer: Arc<Peer>,
    queue: &Queue,
    stopping: Arc<Stop>,
) -> Closed {
    loop {
        poll_fn(|_| queue.poll_room()).await;
        if stopping.is_begun() {
            return Closed::Stopping;
        }
        let frame = tokio::select! {
            biased;
            frame = frames.next() => match frame {
                Ok(frame) => frame,
                Err(closed) => return closed,
            },
            () = stopping.begun() => return Closed::Stopping,
        };
        match dispatch.start(&peer, frame) {
            Started::Refused(refusal) => return Closed::Refused(refusal),
            Started::Answered(frame) => queue.push(InFlight::Done(frame)),
            Started::Answering(mut answer) => match poll_once(&mut answer).await {
                Poll::Ready(Ok(Some(frame))) => queue.push(InFlight::Done(frame)),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(refusal)) => return Closed::Refused(refusal),
                Poll::Pending => queue.push(InFlight::Waiting(answer)),
            },
        }
    }
}

/// Ends with [`Closed::Stopping`] once the other half has ended and all its answers are sent.
async fn write(mut outgoing: impl Outgoing, queue: &Queue, activity: &Activity<'_>) -> Closed {
    let mut gathered = Gathered::default();
    let mut waiting: Option<InFlight> = None;
    loop {
        let next = match waiting.take() {
            Some(next) => next,
            None => match poll_fn(|_| queue.poll_next()).await {
                Some(next) => next,
                None => return Closed::Stopping,
            },
        };
        match next {
            InFlight::Done(frame) => gathered.push_counted(frame),
            InFlight::Waiting(answer) => {
                activity.set_busy(true);
                let frame = answer.await;
                activity.set_busy(false);
                match frame {
                    Ok(frame) => gathered.push(frame),
                    Err(refusal) => return Closed::Refused(refusal),
                }
            }
        }
        // What else is ready goes out with it.
        while gathered.bytes < GATHERED_BYTES_MAX
            && let Poll::Ready(Some(next)) = queue.poll_next()
        {
            match next {
                InFlight::Done(frame) => gathered.push_counted(frame),
                InFlight::Waiting(mut answer) => match poll_once(&mut answer).await {
                    Poll::Ready(Ok(frame)) => gathered.push(frame),
                    Poll::Ready(Err(refusal)) => return Closed::Refused(refusal),
                    Poll::Pending => {
                        waiting = Some(InFlight::Waiting(answer));
                        break;
                    }
                },
            }
        }
        activity.touch();
        while !gathered.chunks.is_empty() {
            match outgoing.send(&mut gathered.chunks).await {
                Ok(bytes) => activity.sent(bytes),
                Err(error) => return Closed::ByPeer(Some(error)),
            }
        }
        queue.sent(gathered.sent());
    }
}

async fn poll_once(answer: &mut Answer) -> Poll<Result<Option<Frame>, Refusal>> {
    poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await
}

/// What is to be sent in one go.
#[derive(Default)]
struct Gathered {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Memory that [`Queue`] knows of.
    counted: usize,
}

impl Gathered {
    fn push(&mut self, frame: Option<Frame>) {
        if let Some(frame) = frame {
            self.bytes += frame.len();
            self.chunks.extend(frame.into_chunks());
        }
    }

    /// Begins anew with the same memory, and tells how much [`Queue`] is to forget.
    fn sent(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.counted)
    }

    fn push_counted(&mut self, frame: Frame) {
        self.counted += memory_of(&frame);
        self.push(Some(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_end_like_any_other() {
        let handler = async { panic!("a handler that should not have") };
        assert_eq!(contain(pin!(handler)).await.label(), Some("panic"));
    }
}
