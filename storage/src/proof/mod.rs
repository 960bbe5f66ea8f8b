//! Shows, by breaking it at random, what the storage engine promises: every run from a seed that
//! is printed when something is wrong, a few in the tests and as many as told at length.

mod bit_flips;
mod damage;
mod torture;

/// How many runs: the short form unless `MILENA_PROOF_RUNS` says otherwise.
fn runs(short: u64) -> u64 {
    let told = std::env::var("MILENA_PROOF_RUNS").ok();
    told.map_or(short, |runs| runs.parse().expect("MILENA_PROOF_RUNS is a number"))
}

/// The first seed: 0 unless `MILENA_PROOF_SEED` says otherwise.
fn first_seed() -> u64 {
    let told = std::env::var("MILENA_PROOF_SEED").ok();
    told.map_or(0, |seed| seed.parse().expect("MILENA_PROOF_SEED is a number"))
}

/// Repeatable chance (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..sides`.
    fn of(&mut self, sides: u64) -> u64 {
        self.roll() % sides
    }

    fn index(&mut self, sides: usize) -> usize {
        usize::try_from(self.of(sides as u64)).unwrap()
    }
}
