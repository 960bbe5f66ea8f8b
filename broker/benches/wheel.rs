//! The timing wheel with a million timers armed: what one insertion, one cancellation and one
//! expiry cost.

use divan::{Bencher, black_box, counter::ItemsCount};
use milena_broker::{
    clock::{Rng, SeededRng},
    purgatory::{TimerId, TimingWheel},
};

fn main() {
    divan::main();
}

#[divan::bench]
fn insert_and_cancel(bencher: Bencher<'_, '_>) {
    let (mut wheel, _) = armed();
    let rng = SeededRng::new(2);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            let id = wheel.insert(deadline(&rng), 0);
            black_box(wheel.cancel(id));
        }
    });
}

#[divan::bench]
fn rearm_one_of_many(bencher: Bencher<'_, '_>) {
    let (mut wheel, mut ids) = armed();
    let rng = SeededRng::new(3);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            let nth = usize::try_from(rng.next_u64()).unwrap_or_default() % ids.len();
            if let Some(id) = ids.get_mut(nth) {
                wheel.cancel(*id);
                *id = wheel.insert(deadline(&rng), 0);
            }
        }
    });
}

#[divan::bench(sample_count = 10)]
fn expire_all(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(ARMED)).with_inputs(|| armed().0).bench_local_values(
        |mut wheel| {
            let mut expired = Vec::with_capacity(ARMED);
            while let Some(next) = wheel.next_deadline() {
                wheel.advance(next, &mut expired);
            }
            expired.len()
        },
    );
}

fn armed() -> (TimingWheel<u32>, Vec<TimerId>) {
    let mut wheel = TimingWheel::new(0);
    let rng = SeededRng::new(1);
    let ids = (0..ARMED).map(|_| wheel.insert(deadline(&rng), 0)).collect();
    (wheel, ids)
}

/// Up to five minutes away, as sessions, fetches and requests are.
fn deadline(rng: &SeededRng) -> u64 {
    rng.next_u64() % 300_000
}

const ARMED: usize = 1_000_000;
const BATCH: usize = 1_000;
