//! The same work over and over: what a broker takes of the machine does not grow with it.
//!
//! `MILENA_SOAK_ROUNDS` says how often (40).

use milena_protocol::{
    ErrorCode,
    messages::{ApiVersionsRequest, DeleteTopicsRequest, topics::delete_topics::DeleteTopicState},
};
use milena_tests::{
    Process,
    data::{batch, create, fetch, produce},
};
use tempfile::TempDir;

use crate::{findings, number, program};

#[test]
fn memory_and_files_do_not_grow_with_work() {
    let rounds = number("MILENA_SOAK_ROUNDS").unwrap_or(ROUNDS);
    println!("MILENA_SOAK_ROUNDS={rounds}");
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let broker = program().start(&data, SETTINGS);
    let small_segments =
        [("segment.bytes", "1048576"), ("retention.bytes", "2097152"), ("retention.ms", "-1")];
    create(&mut broker.connect(), STEADY, 2, &small_segments);
    let mut early = Taken::default();
    for round in 0..rounds {
        work(&broker);
        if round == rounds / 4 {
            early = Taken::by(&broker);
        }
    }
    let late = Taken::by(&broker);
    println!("after a quarter {early:?}, in the end {late:?}");
    assert!(late.bytes <= early.bytes + BYTES_GROWTH_MAX, "{early:?}, then {late:?}");
    assert!(late.files <= early.files + FILES_GROWTH_MAX, "{early:?}, then {late:?}");
    broker.stop();
    assert_eq!(findings(&data), []);
}

/// Connections that come and go, records in and out, a topic that is made and deleted.
fn work(broker: &Process) {
    for _ in 0..20 {
        let answer = broker.connect().ask(0, &ApiVersionsRequest::default());
        assert_eq!(answer.error_code, ErrorCode::None);
    }
    let mut client = broker.connect();
    for index in 0..2 {
        let mut offset = 0;
        for _ in 0..5 {
            let answer = produce(&mut client, STEADY, index, batch(&[&"x".repeat(200_000)]));
            assert_eq!(answer.error_code, ErrorCode::None);
            offset = answer.base_offset;
        }
        let found = fetch(&mut client, STEADY, index, offset);
        assert_eq!((found.error_code, found.high_watermark), (ErrorCode::None, offset + 1));
    }
    create(&mut client, BRIEF, 3, &[]);
    assert_eq!(produce(&mut client, BRIEF, 0, batch(&["brief"])).error_code, ErrorCode::None);
    let topic = DeleteTopicState { name: Some(BRIEF.into()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(client.ask(6, &request).responses[0].error_code, ErrorCode::None);
}

#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    files: usize,
}

impl Taken {
    fn by(broker: &Process) -> Self {
        Self { bytes: broker.resident_bytes(), files: broker.open_files() }
    }
}

const ROUNDS: u64 = 40;
const STEADY: &str = "steady";
const BRIEF: &str = "brief";
const SETTINGS: &[&str] = &["log.retention.check.interval.ms=200", "log.segment.delete.delay.ms=0"];
const BYTES_GROWTH_MAX: u64 = 16 << 20;
/// Connections that are not quite gone, and segments on their way out.
const FILES_GROWTH_MAX: usize = 40;
