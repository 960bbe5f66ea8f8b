//! The program as a person or a script uses it: a broker process, and commands against it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test of the outside looks at files and processes as any program does"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// A broker of this build in a directory of its own; killed when dropped.
struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    fn start(data: &Path) -> Self {
        let mut process = Command::new(MILENA)
            .args(["serve", "--set", "listeners=PLAINTEXT://127.0.0.1:0", "--set"])
            .arg(format!("log.dirs={}", data.display()))
            .env("MILENA_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut address = None;
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, found)) = line.split_once("address=") {
                address = Some(found.trim().to_owned());
            }
            if line.contains(" ready ") {
                break;
            }
        }
        // Read on, so that the broker never waits for us.
        std::thread::Builder::new().spawn(move || lines.for_each(drop)).unwrap();
        Self { process, address: address.expect("a start-up line with the address") }
    }

    fn milena(&self, line: &str) -> Output {
        self.milena_with(line, "")
    }

    fn milena_with(&self, line: &str, input: &str) -> Output {
        milena(&[line.split(' ').collect(), vec!["--bootstrap", &self.address]].concat(), input)
    }

    fn stop(mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn milena(arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(MILENA)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments never reads.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_come_out_as_they_went_in_before_and_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    text(&broker.milena("topic create letters --partitions 3"));
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("produce letters --codec {codec} --partition 1 --key-separator =");
        text(&broker.milena_with(&line, &format!("k={codec}\nk={codec}!\n")));
    }
    let sent = r#"{"key":null,"value":"v","headers":{"h":"1"},"partition":2,"timestamp":7}"#;
    let acknowledged = json_lines(&broker.milena_with("produce letters --json", sent));
    assert_eq!(acknowledged, [serde_json::json!({ "partition": 2, "offset": 0, "count": 1 })]);
    let expected = "k\tnone\nk\tnone!\nk\tgzip\nk\tgzip!\nk\tsnappy\nk\tsnappy!\n\
                    k\tlz4\nk\tlz4!\nk\tzstd\nk\tzstd!\n";
    assert_eq!(text(&broker.milena("consume letters --partition 1 --keys")), expected);
    assert_eq!(broker.stop(), Some(0), "SIGTERM is an orderly end");

    let broker = Broker::start(data.path());
    assert_eq!(text(&broker.milena("consume letters --partition 1 --keys")), expected);
    assert_eq!(text(&broker.milena("consume letters -p 1 --offset -1")), "zstd!\n");
    assert_eq!(text(&broker.milena("consume letters -p 1 --offset 2 -n 1")), "gzip\n");
    assert_eq!(
        json_lines(&broker.milena("consume letters --partition 2 --json")),
        [serde_json::json!({
            "partition": 2, "offset": 0, "timestamp": 7, "key": null, "value": "v",
            "headers": [{ "name": "h", "value": "1" }],
        })]
    );
}

#[test]
fn topics_and_settings_are_changed_and_shown() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    text(&broker.milena("topic create b --partitions 2 --config retention.ms=1000"));
    text(&broker.milena("topic create a"));
    text(&broker.milena("topic create a --if-not-exists"));
    assert_eq!(text(&broker.milena("topic list")), "a\nb\n");

    text(&broker.milena("topic alter b --partitions 4 --config retention.ms=2000"));
    text(&broker.milena("config set --topic b segment.bytes=1048576"));
    assert_eq!(
        text(&broker.milena("config get --topic b")),
        "retention.ms=2000\nsegment.bytes=1048576\n"
    );
    text(&broker.milena("config set --topic b --delete retention.ms"));
    let described: Value =
        serde_json::from_str(&text(&broker.milena("topic describe b --json"))).unwrap();
    assert_eq!(described[0]["partitions"].as_array().unwrap().len(), 4);
    assert_eq!(described[0]["configs"], serde_json::json!({ "segment.bytes": "1048576" }));

    text(&broker.milena("topic delete b"));
    assert_eq!(text(&broker.milena("topic list")), "a\n");
    text(&broker.milena("topic delete b --if-exists"));
}

#[test]
fn a_group_without_members_is_moved_measured_and_deleted() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    text(&broker.milena("topic create t --partitions 2"));
    text(&broker.milena_with("produce t --partition 0", "a\nb\nc\n"));
    let reset = "group reset-offsets g --topic t";
    text(&broker.milena(&format!("{reset} --to-latest --dry-run")));
    assert_eq!(text(&broker.milena("group list --json")), "[]\n", "a dry run commits nothing");
    text(&broker.milena(&format!("{reset} --to-latest")));
    text(&broker.milena(&format!("{reset} --partition 0 --shift-by -2")));
    let lag: Value = serde_json::from_str(&text(&broker.milena("group lag g --json"))).unwrap();
    let partition = |index, committed, end| {
        serde_json::json!({
            "topic": "t", "partition": index, "committed": committed, "end": end,
            "lag": end - committed,
        })
    };
    let expected = [partition(0, 1, 3), partition(1, 0, 0)];
    assert_eq!(lag, serde_json::json!({ "group": "g", "lag": 2, "partitions": expected }));
    assert!(text(&broker.milena("group describe g")).starts_with("g  state Empty"));
    text(&broker.milena("group delete g"));
    assert_eq!(text(&broker.milena("group list --json")), "[]\n");
}

#[test]
fn transactions_are_looked_for_in_vain_where_there_are_none() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    text(&broker.milena("topic create t"));
    assert_eq!(text(&broker.milena("txn list --json")), "[]\n");
    assert_eq!(text(&broker.milena("txn find-hanging --topic t --json")), "[]\n");
    let absent = broker.milena("txn describe x");
    let reason = String::from_utf8_lossy(&absent.stderr);
    assert!(reason.contains("TRANSACTIONAL_ID_NOT_FOUND"), "{reason}");
    let nothing = broker.milena("txn abort --topic t --partition 0 --start-offset 0");
    let reason = String::from_utf8_lossy(&nothing.stderr);
    assert!(reason.contains("no transaction in t-0 begins at 0"), "{reason}");
}

#[test]
fn an_exit_code_says_what_kind_of_failure_it_was() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    let code = |output: Output| output.status.code();
    text(&broker.milena("topic create t"));
    assert_eq!(code(broker.milena("topic create t")), Some(1), "the broker refused");
    assert_eq!(code(broker.milena("topic create ../x")), Some(1), "the broker refused");
    assert_eq!(code(broker.milena("config set --topic t segment.bytes=-1")), Some(1));
    assert_eq!(code(broker.milena("consume t --offset 5")), Some(1), "an offset out of range");
    assert_eq!(code(broker.milena("topic create")), Some(2), "a name is missing");
    assert_eq!(code(milena(&["topic", "list", "-b", "127.0.0.1:1"], "")), Some(3), "unreachable");
    assert_eq!(
        code(milena(&["serve", "--set", "num.partitions=none"], "")),
        Some(1),
        "a wrong setting"
    );
}

#[test]
fn each_load_runs_and_tells_what_it_moved() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    let run = |line: &str| {
        let line = format!("bench {line} --json --warmup 0");
        json_lines(&broker.milena(&line)).pop().unwrap()
    };
    let produced = run("produce --seconds 60 --mb 3 --batch-bytes 100000 --connections 2");
    assert!(produced["all_bytes"].as_u64() >= Some(3_000_000), "{produced}");
    let consumed = run("consume --seconds 60 --mb 5 --fetch-bytes 200000");
    assert!(consumed["all_bytes"].as_u64() >= Some(5_000_000), "{consumed}");
    assert!(consumed["latency_p50_us"].as_f64() > Some(0.0), "{consumed}");
    let arrived = run("latency --seconds 60 --mb 1 --rate 10000 --batch-records 50");
    assert!(arrived["all_records"].as_u64() >= Some(1000), "{arrived}");
    let committed = run("txn --seconds 60 --mb 1");
    assert!(committed["all_bytes"].as_u64() >= Some(1_000_000), "{committed}");
    let groups = run("groups --groups 2 --members 2 --partitions 3 --seconds 0.2");
    assert_eq!(groups["members"], 4);
    let open = run("connections --count 20 --fetch t --wait 10 --seconds 0.2");
    assert_eq!(open["connections"], 20);
    let sparse = run("partitions --count 30 --active 3 --seconds 0.2");
    assert_eq!(sparse["all_records"].as_u64().map(|it| it % 3), Some(0), "{sparse}");
}

#[test]
fn damage_on_disk_is_found_and_shown() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(data.path());
    text(&broker.milena_with("produce t", "one\n"));
    text(&broker.milena_with("produce t", "two\n"));
    assert_eq!(broker.stop(), Some(0));
    let root = data.path().to_str().unwrap();
    assert!(text(&milena(&["log", "verify", root, "--records"], "")).ends_with(": 0 findings\n"));

    let segment = data.path().join("t-0/00000000000000000000.log");
    let dumped = text(&milena(&["log", "dump", segment.to_str().unwrap(), "--records"], ""));
    assert!(dumped.contains("value \"one\"") && dumped.contains("value \"two\""), "{dumped}");

    let mut bytes = fs::read(&segment).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let verified = milena(&["log", "verify", root], "");
    assert_eq!(verified.status.code(), Some(4));
    let found = String::from_utf8(verified.stdout).unwrap();
    assert!(found.starts_with("t-0/00000000000000000000.log at "), "{found}");
    let dumped = milena(&["log", "dump", segment.to_str().unwrap()], "");
    assert_eq!(dumped.status.code(), Some(4));

    let told = milena(&["log", "verify", root, "--repair"], "");
    assert_eq!(told.status.code(), Some(4), "nothing is given up unasked");
    assert!(String::from_utf8(told.stdout).unwrap().contains("would be cut"));
    text(&milena(&["log", "verify", root, "--repair", "--accept-truncation"], ""));
    assert!(text(&milena(&["log", "verify", root, "--records"], "")).ends_with(": 0 findings\n"));
    let broker = Broker::start(data.path());
    assert_eq!(text(&broker.milena("consume t")), "one\n");
    let in_use = milena(&["log", "verify", root, "--repair"], "");
    assert_ne!(in_use.status.code(), Some(0), "a broker runs on it");
}

const MILENA: &str = env!("CARGO_BIN_EXE_milena");
