//! What an acknowledgement promises, by `flush.policy`, seen from the disk below the broker.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, thread};

use milena_protocol::ErrorCode;
use milena_storage::fs::sim::{Op, SimDisk};
use milena_tests::{TestBroker, TestClock, wait_until};

use super::*;

/// A broker on a disk that remembers every call.
fn on_test_disk(disk: &SimDisk, settings: &[(&str, &str)]) -> TestBroker {
    let own = [("log.dirs", "/data")];
    let settings: Vec<(&str, &str)> = own.into_iter().chain(settings.iter().copied()).collect();
    TestBroker::start_with(TestClock::Real, Arc::new(disk.clone()), &settings)
}

/// What is wrong with the order of calls: for each remark `acknowledged <partition> <offset>`, the
/// write of that record (one for each) must have been followed by a sync of its file, and the
/// making of the file by a sync of its directory.
fn complaints(ops: &[Op]) -> Vec<String> {
    #[derive(Default)]
    struct Partition {
        /// By offset: the file, and when it was written.
        writes: Vec<(PathBuf, usize)>,
    }
    let mut partitions: BTreeMap<String, Partition> = BTreeMap::new();
    let mut synced: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut made: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut acknowledged = 0;
    for (at, op) in ops.iter().enumerate() {
        match op {
            Op::Write { path, .. } if path.extension().is_some_and(|it| it == "log") => {
                let directory = path.parent().unwrap().file_name().unwrap();
                let partition = partitions.entry(directory.display().to_string()).or_default();
                partition.writes.push((path.clone(), at));
            }
            Op::Create { path } => drop(made.insert(path.clone(), at)),
            Op::Sync { path } | Op::SyncDir { path } => drop(synced.insert(path.clone(), at)),
            Op::Note(remark) => {
                acknowledged += 1;
                let [_, partition, offset] = remark.split(' ').collect::<Vec<_>>()[..] else {
                    panic!("{remark}");
                };
                let (file, written) =
                    &partitions[partition].writes[offset.parse::<usize>().unwrap()];
                let directory = file.parent().unwrap();
                if synced.get(file).is_none_or(|sync| sync < written) {
                    complaints.push(format!("{remark}: written at {written}, not synced at {at}"));
                }
                if synced.get(directory).is_none_or(|sync| *sync < made[file]) {
                    complaints.push(format!("{remark}: {} may lose its name", file.display()));
                }
            }
            _ => {}
        }
    }
    assert!(acknowledged > 0, "nothing was acknowledged");
    complaints
}

/// Four clients produce to two partitions at once; every answer is a remark between the calls.
fn produce_from_all_sides(broker: &TestBroker, disk: &SimDisk, acks: i16) {
    thread::scope(|scope| {
        for client in 0..4 {
            scope.spawn(move || {
                let mut connection = broker.connect();
                for at in 0..60 {
                    let index = (client + at) % 2;
                    let value = "v".repeat(usize::try_from(at * 7 % 90).unwrap());
                    let request = produce_to("t", index, acks, batch(&[&value]));
                    let response = connection.ask(9, &request);
                    let answer = &response.responses[0].partition_responses[0];
                    assert_eq!(answer.error_code, ErrorCode::None);
                    disk.note(format!("acknowledged t-{index} {}", answer.base_offset));
                }
            });
        }
    });
}

#[test]
fn no_acknowledgement_leaves_before_the_sync_that_covers_it() {
    let disk = SimDisk::new();
    let broker = on_test_disk(&disk, &[]);
    create(&mut broker.connect(), "t", 2, &[("segment.bytes", "1024")]);
    produce_from_all_sides(&broker, &disk, -1);
    assert_eq!(complaints(&disk.ops()), [] as [&str; 0]);
    for metric in ["milena_acknowledged_unsynced_bytes", "milena_acknowledged_unsynced_ms"] {
        assert_eq!(broker.metric(metric, Some("t")), 0);
    }
}

/// The rule is able to fail.
#[test]
fn under_other_policies_acknowledgements_do_not_wait_and_the_metric_tells_what_is_at_risk() {
    let disk = SimDisk::new();
    let broker = on_test_disk(&disk, &[]);
    let mut client = broker.connect();
    create(&mut client, "t", 2, &[("flush.policy", "os")]);
    produce_from_all_sides(&broker, &disk, -1);
    assert!(!complaints(&disk.ops()).is_empty());
    let at_risk = |topic| broker.metric("milena_acknowledged_unsynced_bytes", Some(topic));
    assert!(at_risk("t") > 240 * 61, "{} bytes", at_risk("t"));
    wait_until("time to pass", || broker.metric("milena_acknowledged_unsynced_ms", Some("t")) > 0);

    create(&mut client, "timed", 1, &[("flush.policy", "interval"), ("flush.ms", "20")]);
    produce(&mut client, "timed", 0, batch(&["value"]));
    wait_until("the interval to end", || at_risk("timed") == 0);
    create(&mut client, "counted", 1, &[("flush.policy", "interval"), ("flush.messages", "2")]);
    produce(&mut client, "counted", 0, batch(&["one"]));
    assert!(at_risk("counted") > 0);
    produce(&mut client, "counted", 0, batch(&["two"]));
    wait_until("the count to be reached", || at_risk("counted") == 0);
}
