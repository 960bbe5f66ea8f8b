//! System calls that fail: the broker runs under a tracer that has one of them fail on one file.
//!
//! `MILENA_FAULTS` says at how many places each of them fails (3).

use std::{
    path::Path,
    process::{Command, ExitStatus},
};

use milena_protocol::ErrorCode;
use milena_protocol::messages::FetchRequest;
use milena_tests::{
    Process, Program, RawClient,
    data::{batch, create, fetch, fetch_of, produce, produce_to, values},
};
use tempfile::TempDir;

use crate::{findings, number, program};

#[test]
fn after_a_failed_sync_nothing_more_is_acknowledged() {
    for nth in faults() {
        let fault = Fault { call: "fdatasync", error: "EIO", when: format!("{nth}") };
        let Some(mut struck) = Struck::start(&fault) else { return };
        struck.write_until_refused();
        let mut client = struck.broker.connect();
        for acks in [-1, 1] {
            let answer = client.ask(9, &produce_to(BAD, 0, acks, batch(&["late"])));
            let code = answer.responses[0].partition_responses[0].error_code;
            assert_eq!(code, ErrorCode::KafkaStorageError, "acks {acks} after {fault:?}");
        }
        struck.others_serve();
        struck.survives(&fault);
    }
}

#[test]
fn a_failed_write_is_not_acknowledged() {
    for error in ["EIO", "ENOSPC"] {
        for nth in faults() {
            let fault = Fault { call: "pwritev", error, when: format!("{nth}") };
            let Some(mut struck) = Struck::start(&fault) else { return };
            struck.write_until_refused();
            struck.others_serve();
            struck.survives(&fault);
        }
    }
}

#[test]
fn a_failed_read_concerns_one_request() {
    for nth in faults() {
        let fault = Fault { call: "pread64", error: "EIO", when: format!("{nth}") };
        let Some(mut struck) = Struck::start(&fault) else { return };
        let mut client = struck.broker.connect();
        for _ in 0..3 {
            struck.write(&mut client).unwrap();
        }
        let mut failed = 0;
        for _ in 0..2 * nth {
            match fetch_bad(&mut struck.broker.connect()) {
                Some(Ok(found)) => assert_eq!(found, struck.acknowledged),
                // It failed while the answer was made.
                Some(Err(code)) => {
                    assert_eq!(code, ErrorCode::KafkaStorageError);
                    failed += 1;
                }
                // It failed while the answer was sent.
                None => failed += 1,
            }
        }
        assert_eq!(failed, 1, "{fault:?}");
        struck.write(&mut client).unwrap();
        struck.others_serve();
        struck.survives(&fault);
    }
}

/// `None` if the connection ends instead.
fn fetch_bad(client: &mut RawClient) -> Option<Result<Vec<(i64, String)>, ErrorCode>> {
    let id = client.start(11, &fetch_of(BAD, 0, 0));
    let answer = client.try_finish::<FetchRequest>(11, id)?;
    let data = &answer.responses[0].partitions[0];
    let failed = data.error_code != ErrorCode::None;
    Some(if failed { Err(data.error_code) } else { Ok(values(data)) })
}

/// One system call on the log of the partition `bad-0`, and when it fails.
#[derive(Debug)]
struct Fault {
    call: &'static str,
    error: &'static str,
    when: String,
}

/// A broker whose partition `bad-0` takes a fault.
struct Struck {
    directory: TempDir,
    broker: Process,
    acknowledged: Vec<(i64, String)>,
}

impl Struck {
    /// `None` if this machine has no tracer.
    fn start(fault: &Fault) -> Option<Self> {
        let attempt = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status();
        if !attempt.as_ref().is_ok_and(ExitStatus::success) {
            println!("not run, because strace does not: {attempt:?}");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        let broker = under_strace(&data, fault).start(&data, SETTINGS);
        let mut client = broker.connect();
        create(&mut client, BAD, 1, &[("retention.ms", "-1")]);
        create(&mut client, "good", 1, &[("retention.ms", "-1")]);
        Some(Self { directory, broker, acknowledged: Vec::new() })
    }

    fn write(&mut self, client: &mut RawClient) -> Result<(), ErrorCode> {
        let value = format!("record {}", self.acknowledged.len());
        let answer = produce(client, BAD, 0, batch(&[&value]));
        if answer.error_code != ErrorCode::None {
            return Err(answer.error_code);
        }
        self.acknowledged.push((answer.base_offset, value));
        Ok(())
    }

    /// The fault takes effect while this writes.
    fn write_until_refused(&mut self) {
        let mut client = self.broker.connect();
        for _ in 0..WRITES_MAX {
            if let Err(code) = self.write(&mut client) {
                assert_eq!(code, ErrorCode::KafkaStorageError);
                return;
            }
        }
        panic!("no write was refused: {}", self.broker.told());
    }

    fn others_serve(&self) {
        let mut client = self.broker.connect();
        let answer = produce(&mut client, "good", 0, batch(&["fine"]));
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::None, 0));
        assert_eq!(values(&fetch(&mut client, "good", 0, 0)), [(0, "fine".into())]);
    }

    /// Kills the broker and starts another one without the fault.
    fn survives(self, fault: &Fault) {
        let data = self.directory.path().join("data");
        self.broker.kill();
        let broker = program().start(&data, SETTINGS);
        let mut client = broker.connect();
        let found = fetch_bad(&mut client).unwrap().unwrap();
        let acknowledged = &self.acknowledged;
        println!("{fault:?}: {} acknowledged, {} there", acknowledged.len(), found.len());
        assert!(found.starts_with(acknowledged), "{found:?} and {acknowledged:?} after {fault:?}");
        let again = client.ask(9, &produce_to(BAD, 0, -1, batch(&["again"])));
        assert_eq!(again.responses[0].partition_responses[0].error_code, ErrorCode::None);
        broker.stop();
        assert_eq!(findings(&data), []);
    }
}

fn under_strace(data: &Path, fault: &Fault) -> Program {
    let log = data.join("bad-0/00000000000000000000.log").display().to_string();
    let Fault { call, error, when } = fault;
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={when}");
    let trace_file = data.with_file_name("trace").display().to_string();
    // The tracer steps aside, so that the process that was started is the broker.
    program().under(&[
        "strace",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qqq",
        "-o",
        &trace_file,
        "-P",
        &log,
        "-e",
        &trace,
        "-e",
        &inject,
    ])
}

fn faults() -> std::ops::RangeInclusive<u64> {
    1..=number("MILENA_FAULTS").unwrap_or(3)
}

const BAD: &str = "bad";
/// Calls are counted by thread.
const SETTINGS: &[&str] = &["num.network.threads=1", "log.flush.offset.checkpoint.interval.ms=150"];
const WRITES_MAX: usize = 200;
