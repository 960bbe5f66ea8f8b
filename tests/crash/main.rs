//! Kills a broker again and again while producers write to it, and holds what is left against what
//! was acknowledged: records, deleted records, topics made and topics deleted.
//!
//! `MILENA_CRASH_KILLS` says how often (6), `MILENA_CRASH_SEED` repeats the sizes and the moments
//! of an earlier run, as far as the machine is the same. `MILENA_CRASH_BROKER` is another program
//! to kill, such as an optimised one.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test of processes and real files, which tells how far it got"
)]

mod chores;
mod dice;
mod flips;
mod ledger;
mod power;
mod rounds;
mod transactor;
mod writer;

use std::{
    env,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use milena_storage::{
    fs::{Disk, RealDisk},
    verify::{Depth, Finding, verify},
};
use milena_tests::{Process, Program};
use tempfile::TempDir;

use dice::Dice;
use ledger::Ledger;
use rounds::{Rounds, SETTINGS, check, create_topics};
use transactor::EXACT;
use writer::{Kind, Writer};

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let seed = number(SEED).unwrap_or_else(now);
    let kills = number("MILENA_CRASH_KILLS").unwrap_or(KILLS);
    println!("MILENA_CRASH_SEED={seed} MILENA_CRASH_KILLS={kills}");
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let mut rounds = Rounds::new(&data, seed, &WRITERS);
    for _ in 0..kills {
        rounds.work(|broker, _| broker.kill());
    }
    rounds.finish();
}

#[test]
fn a_stop_leaves_nothing_to_recover_and_a_kill_does() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let ledger = Mutex::new(Ledger::new([(0, Kind::Idempotent)]));
    let mut writer = Writer::new(0, "all", Kind::Idempotent, Dice::new(1));
    let mut write_to = |broker: Process, end: fn(Process)| {
        thread::scope(|scope| {
            let writing = writer.run(broker.address(), &ledger);
            scope.spawn(|| block_on(writing));
            thread::sleep(Duration::from_millis(300));
            end(broker);
        });
    };
    let broker = program().start(&data, SETTINGS);
    block_on(create_topics(broker.address())).unwrap();
    write_to(broker, |broker| drop(broker.stop()));

    let broker = program().start(&data, SETTINGS);
    let told = broker.told();
    assert!(told.contains("clean=true") && !told.contains("bytes_checked"), "{told}");
    check(&ledger, broker.address());
    write_to(broker, Process::kill);

    let broker = program().start(&data, SETTINGS);
    let told = broker.told();
    assert!(told.contains("clean=false") && told.contains("bytes_checked"), "{told}");
    check(&ledger, broker.address());
}

#[test]
fn a_directory_has_one_broker_at_a_time() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let broker = program().start(&data, &[]);
    let told = program().refused(&data, &[]);
    assert!(told.contains("in use by another process"), "{told}");
    broker.kill();
    program().start(&data, &[]).stop();
}

#[test]
fn a_directory_of_another_node_or_cluster_is_refused() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ours, theirs) = (one.path().join("data"), other.path().join("data"));
    program().start(&ours, &["node.id=1"]).stop();
    let told = program().refused(&ours, &["node.id=2"]);
    assert!(told.contains("belongs to node 1"), "{told}");

    program().start(&theirs, &["node.id=1"]).stop();
    let both = format!("log.dirs={},{}", ours.display(), theirs.display());
    let told = program().refused(&ours, &["node.id=1", &both]);
    assert!(told.contains("belongs to cluster"), "{told}");
    program().start(&ours, &["node.id=1"]).stop();
}

fn program() -> Program {
    let own = env!("CARGO_BIN_EXE_milena-to-kill");
    Program::new(&env::var("MILENA_CRASH_BROKER").unwrap_or_else(|_| own.to_owned()))
}

fn findings(data: &Path) -> Vec<Finding> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut findings = Vec::new();
    verify(&disk, data, Depth::Records, &mut |finding| findings.push(finding)).unwrap();
    findings
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos())
}

const SEED: &str = "MILENA_CRASH_SEED";
const KILLS: u64 = 6;
const WRITERS: [(u32, &str, Kind); 7] = [
    (0, "all", Kind::Idempotent),
    (1, "all", Kind::Idempotent),
    (2, "mixed", Kind::Idempotent),
    (3, "mixed", Kind::Leader),
    (4, "mixed", Kind::All),
    (10, EXACT, Kind::Transactional),
    (11, EXACT, Kind::Transactional),
];
