//! Kills a broker again and again while producers write to it, and holds what is left against what
//! was acknowledged: records, deleted records, topics made and topics deleted.
//!
//! `MILENA_CRASH_KILLS` says how often (6), `MILENA_CRASH_SEED` repeats the sizes and the moments
//! of an earlier run, as far as the machine is the same.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test of processes and real files, which tells how far it got"
)]

mod chores;
mod dice;
mod ledger;
mod writer;

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use milena_broker::client::{ClientError, Cluster};
use milena_protocol::messages::{
    CreateTopicsRequest,
    topics::create_topics::{CreatableTopic, CreatableTopicConfig},
};
use milena_storage::{
    fs::{Disk, RealDisk},
    verify::{Depth, Finding, verify},
};
use milena_tests::{Process, Program};
use tempfile::TempDir;

use chores::Chores;
use dice::Dice;
use ledger::{Found, Ledger, Place, read_topic};
use writer::{Kind, Writer};

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let seed = number("MILENA_CRASH_SEED").unwrap_or_else(now);
    let kills = number("MILENA_CRASH_KILLS").unwrap_or(KILLS);
    println!("MILENA_CRASH_SEED={seed} MILENA_CRASH_KILLS={kills}");
    let mut dice = Dice::new(seed);
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let mut writers = WRITERS.map(|(id, topic, kind)| Writer::new(id, topic, kind, dice.split()));
    let mut chores = Chores::new(TRIMMED.to_vec(), dice.split());
    let ledger = Mutex::new(Ledger::new(WRITERS.map(|(id, _, kind)| (id, kind))));
    for kill in 0..kills {
        let broker = program().start(&data, SETTINGS);
        if kill == 0 {
            block_on(create_topics(broker.address())).unwrap();
        }
        check(&ledger, broker.address());
        block_on(chores.check(broker.address(), &data));
        thread::scope(|scope| {
            let (address, ledger) = (broker.address(), &ledger);
            for writer in &mut writers {
                scope.spawn(move || block_on(writer.run(address, ledger)));
            }
            let chores = chores.run(address, ledger);
            scope.spawn(|| block_on(chores));
            thread::sleep(Duration::from_millis(u64::from(100 + dice.below(700))));
            broker.kill();
        });
    }
    let broker = program().start(&data, SETTINGS);
    check(&ledger, broker.address());
    block_on(chores.check(broker.address(), &data));
    broker.stop();
    assert_eq!(findings(&data), [], "seed {seed}");
    let ledger = ledger.into_inner().unwrap();
    println!("{} records acknowledged, {} there", ledger.acknowledged(), ledger.records());
    assert!(ledger.acknowledged() > 0);
    assert_eq!(ledger.verdicts(), [], "seed {seed}");
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
    Program::new(env!("CARGO_BIN_EXE_milena-to-kill"))
}

async fn create_topics(address: SocketAddr) -> Result<(), ClientError> {
    let mut cluster = Cluster::connect(&address.to_string(), Duration::from_secs(10)).await?;
    let small_segments =
        CreatableTopicConfig { name: "segment.bytes".into(), value: Some(SEGMENT_BYTES.into()) };
    let request = CreateTopicsRequest {
        topics: TOPICS
            .iter()
            .map(|&(name, partitions)| CreatableTopic {
                name: name.into(),
                num_partitions: partitions,
                replication_factor: 1,
                configs: vec![small_segments.clone()],
                ..CreatableTopic::default()
            })
            .collect(),
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    };
    for topic in cluster.call_controller(&request).await?.topics {
        ClientError::check("create a topic", topic.error_code, topic.error_message.as_deref())?;
    }
    Ok(())
}

fn check(ledger: &Mutex<Ledger>, address: SocketAddr) {
    let mut found: BTreeMap<Place, Found> = BTreeMap::new();
    for (topic, _) in TOPICS {
        found.extend(block_on(read_topic(address, topic)));
    }
    ledger.lock().unwrap().check(found);
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

const KILLS: u64 = 6;
const TOPICS: [(&str, i32); 2] = [("all", 3), ("mixed", 2)];
const WRITERS: [(u32, &str, Kind); 5] = [
    (0, "all", Kind::Idempotent),
    (1, "all", Kind::Idempotent),
    (2, "mixed", Kind::Idempotent),
    (3, "mixed", Kind::Leader),
    (4, "mixed", Kind::All),
];
/// Where records are deleted now and then.
const TRIMMED: [Place; 4] = [("mixed", 0), ("mixed", 1), ("all", 1), ("all", 2)];
/// Recovery points are noted while producers write, so that recovery begins in the midst of it.
const SETTINGS: &[&str] = &["log.flush.offset.checkpoint.interval.ms=150"];
/// The least that the broker allows.
const SEGMENT_BYTES: &str = "1048576";
