//! How soon a broker that was killed is there again, and how fast it checks all that it has where
//! nothing tells what was synced.
//!
//! `MILENA_RESTART_MB` says how much is written (20) and `MILENA_RESTART_PARTITIONS` to how many
//! partitions (10). Times are told and held against nothing: they mean something on a quiet machine.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use milena_protocol::ErrorCode;
use milena_tests::{
    Process,
    data::{create, fetch},
    wait_until,
};
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use crate::{findings, number, program};

#[test]
fn a_broker_that_was_killed_has_everything_again_with_and_without_its_checkpoints() {
    let mb = number("MILENA_RESTART_MB").unwrap_or(MB);
    let partitions =
        number("MILENA_RESTART_PARTITIONS").map_or(PARTITIONS, |it| i32::try_from(it).unwrap());
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let broker = program().start(&data, SETTINGS);
    create(&mut broker.connect(), TOPIC, partitions, &[("retention.ms", "-1")]);
    load(&broker, mb, partitions);
    wait_until("recovery points behind all of it", || {
        let written = ends(&broker, partitions);
        let noted = fs::read_to_string(data.join(RECOVERY_POINTS)).unwrap_or_default();
        let noted: BTreeSet<&str> = noted.lines().collect();
        let mut lines = (0..).zip(&written).map(|(index, end)| format!("{TOPIC} {index} {end}"));
        lines.all(|line| noted.contains(line.as_str()))
    });
    // A little less than what may lie behind the last of them.
    load(&broker, (mb / 100).clamp(1, 60), partitions);
    let before = ends(&broker, partitions);
    assert!(before.iter().all(|end| *end > 0), "{before:?}");
    broker.kill();

    let broker = ready("after a kill", &data, partitions, &before);
    broker.kill();
    let bytes = on_disk(&data);
    println!("the disk reads {:.0} MB/s", bytes as f64 / 1e6 / read_all(&data).as_secs_f64());
    for name in [RECOVERY_POINTS, CLEAN_STOP] {
        // The second is not there after a kill.
        let _ = fs::remove_file(data.join(name));
    }
    let begun = Instant::now();
    let broker = ready("with everything to check", &data, partitions, &before);
    println!("which is {:.0} MB/s", bytes as f64 / 1e6 / begun.elapsed().as_secs_f64());
    broker.stop();
    if mb <= MB {
        assert_eq!(findings(&data), []);
    }
}

/// Starts the broker and tells how long it takes until it answers for one and for all partitions.
fn ready(when: &str, data: &Path, partitions: i32, expected: &[i64]) -> Process {
    let begun = Instant::now();
    let broker = program().start(data, SETTINGS);
    let listening = begun.elapsed();
    let first = fetch(&mut broker.connect(), TOPIC, 0, expected[0] - 1);
    assert_eq!(first.error_code, ErrorCode::None);
    let answered = begun.elapsed();
    let there = ends(&broker, partitions);
    assert!(there.iter().zip(expected).all(|(there, expected)| there >= expected), "{there:?}");
    println!(
        "{when}: listening after {listening:.2?}, first fetch after {answered:.2?}, all \
         {partitions} partitions after {:.2?}",
        begun.elapsed()
    );
    broker
}

/// Where each partition ends.
fn ends(broker: &Process, partitions: i32) -> Vec<i64> {
    let mut client = broker.connect();
    (0..partitions).map(|index| fetch(&mut client, TOPIC, index, 0).high_watermark).collect()
}

/// Writes as many MB in batches of the size that clients make by default.
fn load(broker: &Process, mb: u64, partitions: i32) {
    let connections = partitions.to_string();
    let status = Command::new(program().path())
        .args(["bench", "produce", "--bootstrap", &broker.address().to_string()])
        .args(["--topic", TOPIC, "--connections", &connections, "--acks", "1"])
        .args(["--batch-bytes", "16384", "--mb", &mb.to_string()])
        .args(["--warmup", "0", "--seconds", "3600"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

/// Reads every log on as many threads as a start does, from the disk itself.
fn read_all(data: &Path) -> Duration {
    let logs = logs(data);
    for log in &logs {
        let file = File::open(log).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }
    let begun = Instant::now();
    thread::scope(|scope| {
        for half in logs.chunks(logs.len().div_ceil(THREADS)) {
            scope.spawn(move || {
                let mut buffer = vec![0; 1 << 20];
                for log in half {
                    let mut file = File::open(log).unwrap();
                    while file.read(&mut buffer).unwrap() > 0 {}
                }
            });
        }
    });
    begun.elapsed()
}

fn on_disk(data: &Path) -> u64 {
    logs(data).iter().map(|log| fs::metadata(log).unwrap().len()).sum()
}

fn logs(data: &Path) -> Vec<std::path::PathBuf> {
    let partitions = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let partitions = partitions.filter(|path| path.is_dir());
    let files = partitions.flat_map(|path| fs::read_dir(path).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "log")).collect()
}

const MB: u64 = 20;
const PARTITIONS: i32 = 10;
const TOPIC: &str = "t";
const SETTINGS: &[&str] = &["log.flush.offset.checkpoint.interval.ms=1000"];
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const CLEAN_STOP: &str = ".kafka_cleanshutdown";
const THREADS: usize = 2;
