//! Cuts the power of the disk under a broker again and again: what was not synced is gone.
//!
//! `MILENA_CRASH_CUTS` says how often (2).

use milena_tests::Volume;

use super::{Kind, SEED, now, number, rounds::Rounds};

#[test]
fn what_all_replicas_acknowledged_outlives_every_power_cut() {
    let volume = match volume_that_can_be_cut() {
        Ok(volume) => volume,
        Err(why) => return println!("not run, because this machine cuts no power: {why}"),
    };
    let seed = number(SEED).unwrap_or_else(now);
    let cuts = number("MILENA_CRASH_CUTS").unwrap_or(CUTS);
    println!("MILENA_CRASH_SEED={seed} MILENA_CRASH_CUTS={cuts}");
    let data = volume.path().join("data");
    let mut rounds = Rounds::new(&data, seed, &WRITERS);
    for _ in 0..cuts {
        rounds.work(|broker, ledger| {
            ledger.lock().unwrap().set_failing(true);
            volume.cut_power().unwrap();
            broker.kill();
        });
        volume.mount_again().unwrap();
    }
    rounds.finish();
}

fn volume_that_can_be_cut() -> Result<Volume, String> {
    let volume = Volume::ext4(VOLUME_BYTES)?;
    volume.cut_power()?;
    volume.mount_again()?;
    Ok(volume)
}

const CUTS: u64 = 2;
const WRITERS: [(u32, &str, Kind); 5] = [
    (0, "all", Kind::Idempotent),
    (1, "all", Kind::Idempotent),
    (2, "mixed", Kind::Idempotent),
    (3, "mixed", Kind::Hopeful),
    (4, "mixed", Kind::All),
];
/// Most of it is never written.
const VOLUME_BYTES: u64 = 2 << 30;
