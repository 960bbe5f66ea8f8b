//! Exactly once, whoever races: notifications, deadlines, drops and the broker's stop.

use std::{
    sync::{Arc, Barrier, atomic::AtomicI64},
    task::Waker,
};

use tokio::runtime::Runtime;

use super::*;
use crate::{
    clock::{ManualClock, Rng, SeededRng, SystemClock},
    tasks::TokioSpawn,
};

struct Fixture {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    purgatory: Arc<Purgatory<u32>>,
}

fn fixture() -> Fixture {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let clock = Arc::new(ManualClock::default());
    let spawn = TokioSpawn::new(runtime.handle().clone());
    let timers = Timers::start(Arc::clone(&clock) as Arc<_>, &spawn);
    Fixture { runtime, clock, purgatory: Arc::new(Purgatory::new(Arc::new(timers))) }
}

fn peek(watcher: &mut Watcher<'_, u32>) -> Option<Outcome> {
    match Pin::new(watcher).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_notified_key_wakes_who_watches_it_and_nobody_else() {
    let f = fixture();
    let mut both = f.purgatory.watch([1, 2], LONG);
    let mut other = f.purgatory.watch([3], LONG);
    assert_eq!(f.purgatory.watching(), 3);
    assert_eq!(f.purgatory.notify(&4), 0);
    assert_eq!(f.purgatory.notify(&2), 1);
    assert_eq!(f.purgatory.notify(&1), 0, "it has completed already");
    assert_eq!((peek(&mut both), peek(&mut other)), (Some(Outcome::Ready), None));
    drop((both, other));
    assert_eq!(f.purgatory.watching(), 0);
    assert_eq!(f.purgatory.timers.armed(), 0);
}

#[test]
fn a_condition_decides_which_notification_counts() {
    let f = fixture();
    let high_watermark = Arc::new(AtomicI64::new(0));
    let seen = Arc::clone(&high_watermark);
    let ready = move || seen.load(Ordering::SeqCst) >= 10;
    let mut watcher = f.purgatory.watch_until([1], LONG, ready.clone());
    high_watermark.store(9, Ordering::SeqCst);
    assert_eq!(f.purgatory.notify(&1), 0);
    high_watermark.store(10, Ordering::SeqCst);
    assert_eq!(f.purgatory.notify(&1), 1);
    assert_eq!(peek(&mut watcher), Some(Outcome::Ready));
    let mut late = f.purgatory.watch_until([1], LONG, ready);
    assert_eq!(peek(&mut late), Some(Outcome::Ready), "no wait for what holds already");
}

#[test]
fn a_deadline_expires_what_nobody_notified() {
    let f = fixture();
    let watcher = f.purgatory.watch([1], Duration::from_millis(50));
    f.clock.advance(Duration::from_millis(50));
    assert_eq!(f.runtime.block_on(watcher), Outcome::Expired);
    assert_eq!(f.purgatory.timers.armed(), 0);
}

#[test]
fn a_sooner_deadline_is_kept_while_the_wheel_sleeps_for_a_later_one() {
    let f = fixture();
    let late = f.purgatory.watch([1], Duration::from_millis(5_000));
    let soon = f.purgatory.watch([1], Duration::from_millis(20));
    f.clock.advance(Duration::from_millis(20));
    assert_eq!(f.runtime.block_on(soon), Outcome::Expired);
    f.clock.advance(Duration::from_millis(4_980));
    assert_eq!(f.runtime.block_on(late), Outcome::Expired);
}

#[test]
fn closing_ends_every_wait_also_the_next_one() {
    let f = fixture();
    let mut before = f.purgatory.watch([1], LONG);
    f.purgatory.close();
    let mut after = f.purgatory.watch([1], LONG);
    assert_eq!(
        (peek(&mut before), peek(&mut after)),
        (Some(Outcome::Expired), Some(Outcome::Expired))
    );
}

#[test]
fn a_sleep_ends_at_its_time() {
    let f = fixture();
    let timers = &f.purgatory.timers;
    let sleep = timers.sleep_until(Duration::from_millis(7));
    f.clock.advance(Duration::from_millis(7));
    f.runtime.block_on(sleep);
    drop(timers.sleep_until(LONG));
    assert_eq!(timers.armed(), 0);
}

/// Two notifiers, a deadline and the operation's own end race; each of the completions must be
/// claimed by exactly one of them, and nothing may stay behind.
#[test]
fn racing_completions_are_claimed_once() {
    let runtime = Runtime::new().unwrap();
    let spawn = TokioSpawn::new(runtime.handle().clone());
    let timers = Arc::new(Timers::start(Arc::new(SystemClock::new()), &spawn));
    let purgatory = Arc::new(Purgatory::<u32>::new(Arc::clone(&timers)));
    let rng = SeededRng::new(1);
    for round in 0..3_000 {
        let claimed = AtomicUsize::new(0);
        let value = Arc::new(AtomicI64::new(0));
        let start = Barrier::new(3);
        let spins = [rng.next_u64() % 200, rng.next_u64() % 200, rng.next_u64() % 200];
        let deadline = timers.now() + Duration::from_micros(rng.next_u64() % 3_000);
        let outcome = std::thread::scope(|scope| {
            for (key, spin) in [(round, spins[0]), (round + 1, spins[1])] {
                let (purgatory, claimed, start, value) = (&purgatory, &claimed, &start, &value);
                scope.spawn(move || {
                    start.wait();
                    (0..spin).for_each(|_| std::hint::spin_loop());
                    value.fetch_add(1, Ordering::SeqCst);
                    claimed.fetch_add(purgatory.notify(&key), Ordering::SeqCst);
                });
            }
            start.wait();
            (0..spins[2]).for_each(|_| std::hint::spin_loop());
            let seen = Arc::clone(&value);
            let ready = move || seen.load(Ordering::SeqCst) >= 1;
            runtime.block_on(purgatory.watch_until([round, round + 1], deadline, ready))
        });
        let claimed = claimed.into_inner();
        assert!(claimed <= 1, "round {round}: claimed {claimed} times");
        assert!(claimed == 0 || outcome == Outcome::Ready, "round {round}");
        assert_eq!((purgatory.watching(), timers.armed()), (0, 0), "round {round}");
    }
}

/// A change that comes before or while the operation registers is never missed: without the
/// notification's fence this hangs until the deadline now and then.
#[test]
fn no_change_is_missed() {
    let runtime = Runtime::new().unwrap();
    let spawn = TokioSpawn::new(runtime.handle().clone());
    let timers = Arc::new(Timers::start(Arc::new(SystemClock::new()), &spawn));
    let purgatory = Purgatory::<u32>::new(Arc::clone(&timers));
    let rng = SeededRng::new(2);
    for round in 0..3_000 {
        let value = Arc::new(AtomicI64::new(0));
        let start = Barrier::new(2);
        let spin = rng.next_u64() % 300;
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                (0..spin).for_each(|_| std::hint::spin_loop());
                value.store(1, Ordering::Relaxed);
                purgatory.notify(&7);
            });
            start.wait();
            let seen = Arc::clone(&value);
            let ready = move || seen.load(Ordering::Relaxed) == 1;
            let deadline = timers.now() + Duration::from_secs(20);
            runtime.block_on(purgatory.watch_until([7], deadline, ready))
        });
        assert_eq!(outcome, Outcome::Ready, "round {round}");
    }
}
