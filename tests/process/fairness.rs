//! One client that never stops and a hundred that want a little.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::{FetchRequest, ProduceRequest},
};
use milena_tests::{
    Process, RawClient,
    data::{batch, create, fetch, fetch_of, produce, produce_to, values},
    wait_until,
};
use tempfile::TempDir;

use crate::program;

#[test]
fn a_heavy_producer_does_not_starve_a_hundred_small_clients() {
    let values: Vec<String> = (0..100).map(|_| "x".repeat(1_000)).collect();
    let records = batch(&values.iter().map(String::as_str).collect::<Vec<_>>());
    while_heavy(|client, _| pump_produces(client, &records));
}

#[test]
fn a_heavy_reader_does_not_starve_a_hundred_small_clients() {
    while_heavy(|client, first| {
        if first {
            let value = "x".repeat(200_000);
            assert_eq!(produce(client, HEAVY, 0, batch(&[&value])).error_code, ErrorCode::None);
        }
        let sent: Vec<i32> =
            (0..PIPELINED).map(|_| client.start(11, &fetch_of(HEAVY, 0, 0))).collect();
        for id in sent {
            let answer = client.finish::<FetchRequest>(11, id);
            assert_eq!(answer.responses[0].partitions[0].error_code, ErrorCode::None);
        }
    });
}

/// Has small clients work while a heavy one does `burst` after burst, on a broker with one thread
/// for all. The heavy one stops only once they are done, and they only once it got on, too.
fn while_heavy(burst: impl Fn(&mut RawClient, bool) + Sync) {
    let directory = TempDir::new().unwrap();
    // What they have to share is the thread. Nobody waits for the disk.
    let settings =
        ["num.network.threads=1", "log.flush.policy=os", "log.retention.check.interval.ms=100"];
    let broker = program().start(&directory.path().join("data"), &settings);
    let for_ever = ("retention.ms", "-1");
    let small_segments = [
        for_ever,
        ("segment.bytes", "1048576"),
        ("retention.bytes", "4194304"),
        ("file.delete.delay.ms", "0"),
    ];
    create(&mut broker.connect(), HEAVY, 1, &small_segments);
    create(&mut broker.connect(), SMALL, CLIENTS, &[for_ever]);
    let (done, bursts) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = broker.connect();
            let mut first = true;
            while !done.load(Ordering::Acquire) {
                burst(&mut client, first);
                first = false;
                bursts.fetch_add(1, Ordering::Release);
            }
        });
        // Small ones that fail end the heavy one, too.
        let _end = SetAtEnd(&done);
        wait_until("the heavy one is at it", || bursts.load(Ordering::Acquire) > 0);
        let mut clients: Vec<RawClient> = (0..CLIENTS).map(|_| broker.connect()).collect();
        for round in 0..ROUNDS {
            let before = bursts.load(Ordering::Acquire);
            small_round(&mut clients, round);
            wait_until("the heavy one gets on", || bursts.load(Ordering::Acquire) > before);
        }
    });
    assert_complete(&broker);
}

/// All of them at once: one record each, which is read back.
fn small_round(clients: &mut [RawClient], round: i64) {
    let name = format!("round {round}");
    let mut sent = Vec::new();
    for (index, client) in (0..).zip(clients.iter_mut()) {
        sent.push(client.start(9, &produce_to(SMALL, index, -1, batch(&[&name]))));
    }
    for (client, id) in clients.iter_mut().zip(sent) {
        let answer = client.finish::<ProduceRequest>(9, id);
        let result = &answer.responses[0].partition_responses[0];
        assert_eq!((result.error_code, result.base_offset), (ErrorCode::None, round));
    }
    for (index, client) in (0..).zip(clients) {
        assert_eq!(values(&fetch(client, SMALL, index, round)), [(round, name.clone())]);
    }
}

fn assert_complete(broker: &Process) {
    let mut client = broker.connect();
    for index in 0..CLIENTS {
        assert_eq!(fetch(&mut client, SMALL, index, 0).high_watermark, ROUNDS);
    }
}

fn pump_produces(client: &mut RawClient, records: &Bytes) {
    let request = produce_to(HEAVY, 0, 1, records.clone());
    let sent: Vec<i32> = (0..PIPELINED).map(|_| client.start(9, &request)).collect();
    for id in sent {
        let answer = client.finish::<ProduceRequest>(9, id);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::None);
    }
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

const HEAVY: &str = "heavy";
const SMALL: &str = "small";
const CLIENTS: i32 = 100;
const ROUNDS: i64 = 3;
/// Requests of the heavy client at a time, more than sockets hold of their answers.
const PIPELINED: usize = 32;
