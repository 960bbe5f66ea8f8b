//! The only place that asks what time it is and rolls dice.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use milena_protocol::{Timestamp, Uuid};
use tokio::sync::oneshot;

/// Tells the time. One call per request is expected, one per record is not.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock; it may jump either way.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment before the broker started; it never goes back.
    fn monotonic(&self) -> Duration;

    /// Resolves once [`Clock::monotonic`] is at or past `deadline`. Meant for the one driver of a
    /// timing wheel; what waits for its own time is armed there.
    fn sleep_until(&self, deadline: Duration) -> Sleep;
}

pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Unpredictable bytes.
pub trait Rng: Send + Sync + fmt::Debug {
    fn fill(&self, bytes: &mut [u8]);

    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A fresh topic, cluster or directory id.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Uuid::from_random(bytes)
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        // A machine set to before 1970 is told that it is 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        Box::pin(tokio::time::sleep_until((self.origin + deadline).into()))
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
                Ok(filled) => rest = rest.split_at_mut(filled).1,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("the system has no randomness: {error}"),
            }
        }
    }
}

/// A clock that stands still until it is told to go on; both clocks move together.
#[derive(Debug, Default)]
pub struct ManualClock {
    state: Mutex<Manual>,
}

#[derive(Debug, Default)]
struct Manual {
    now: Timestamp,
    elapsed: Duration,
    sleepers: BTreeMap<Duration, Vec<oneshot::Sender<()>>>,
}

impl ManualClock {
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new(Manual { now, ..Manual::default() }) }
    }

    /// Moves time on and wakes whoever slept until then.
    pub fn advance(&self, by: Duration) {
        let woken = {
            let mut state = self.lock();
            state.elapsed += by;
            state.now.0 += i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            let next = state.elapsed + Duration::from_nanos(1);
            let later = state.sleepers.split_off(&next);
            std::mem::replace(&mut state.sleepers, later)
        };
        for sleeper in woken.into_values().flatten() {
            // One that has given up is not there to hear it.
            let _ = sleeper.send(());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Manual> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep_until(&self, deadline: Duration) -> Sleep {
        let mut state = self.lock();
        if deadline <= state.elapsed {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        state.sleepers.entry(deadline).or_default().push(sender);
        Box::pin(async move {
            let _ = receiver.await;
        })
    }
}

/// Repeatable dice for tests and simulation (splitmix64).
#[derive(Debug)]
pub struct SeededRng {
    state: AtomicU64,
}

impl SeededRng {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let step = self.state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
            for (to, from) in piece.iter_mut().zip(mix(step).to_le_bytes()) {
                *to = from;
            }
        }
    }
}

fn mix(step: u64) -> u64 {
    let z = (step ^ (step >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_their_time_has_come() {
        let clock = ManualClock::at(Timestamp(1_000));
        let sleep = clock.sleep_until(Duration::from_millis(5));
        clock.advance(Duration::from_millis(5));
        sleep.await;
        assert_eq!(clock.now(), Timestamp(1_005));
        clock.sleep_until(Duration::from_millis(5)).await;
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let (a, b) = (SeededRng::new(7), SeededRng::new(7));
        assert_eq!([a.next_u64(), a.next_u64()], [b.next_u64(), b.next_u64()]);
        assert_ne!(SeededRng::new(8).uuid(), a.uuid());
    }

    #[test]
    fn the_system_fills_all_of_it() {
        let mut bytes = [0; 64];
        SystemRng.fill(&mut bytes);
        assert!(bytes.iter().any(|&byte| byte != 0));
    }
}
