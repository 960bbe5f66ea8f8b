//! What readers with `isolation.level=read_committed` are given: Fetch v4-18, ListOffsets v2-11.
//! The coordinator's part, markers and verified batches, is played by the tests.

use std::sync::Arc;

use milena_broker::replica::Partition;
use milena_protocol::{
    ErrorCode, Offset, ProducerEpoch, ProducerId, Uuid,
    messages::{
        FetchRequest, ListOffsetsRequest,
        data::{
            fetch::AbortedTransaction,
            list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
        },
    },
};
use milena_storage::{
    log::{AppendError, Origin},
    producers::EndMarker,
};
use milena_tests::{RawClient, TestBroker};

use super::*;

const READ_COMMITTED: i8 = 1;

/// What the coordinator does to a partition of the broker's.
struct Coordinator(Arc<Partition>);

impl Coordinator {
    fn of(broker: &TestBroker) -> Self {
        let topic = broker.services().replicas.topic_named("t").unwrap();
        Self(topic.partition(0).unwrap())
    }

    fn write(&self, producer: i64, values: &[&str]) {
        let builder = BatchBuilder::new(Codec::None).transactional(true);
        let builder = builder.producer(ProducerId(producer), ProducerEpoch(0), -1);
        let records = fill(builder, values);
        self.0.append_as(Origin::Coordinator, records, MADE).unwrap();
    }

    fn end(&self, producer: i64, commit: bool) -> Result<Offset, AppendError> {
        let marker = EndMarker {
            producer: ProducerId(producer),
            epoch: ProducerEpoch(0),
            coordinator_epoch: 0,
            timestamp: MADE,
            commit,
        };
        self.0.append_marker(&marker, 1, MADE)
    }
}

/// A broker that shows at once what is written.
fn start() -> (TestBroker, RawClient, Coordinator, Uuid) {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "t", 1, &[("flush.policy", "os")]);
    let coordinator = Coordinator::of(&broker);
    (broker, client, coordinator, id)
}

fn committed_from(offset: i64) -> FetchRequest {
    FetchRequest { isolation_level: READ_COMMITTED, ..fetch_of("t", 0, offset) }
}

fn ask(client: &mut RawClient, version: i16, request: &FetchRequest) -> PartitionData {
    client.ask(version, request).responses.remove(0).partitions.remove(0)
}

fn aborted(producer_id: i64, first_offset: i64) -> AbortedTransaction {
    AbortedTransaction { producer_id, first_offset }
}

fn offsets(data: &PartitionData) -> Vec<i64> {
    let records = data.records.as_ref().and_then(|records| records.as_bytes()).unwrap().clone();
    let batches = milena_protocol::records::Batch::split_all(records);
    batches.map(|batch| batch.unwrap().base_offset().0).collect()
}

#[test]
fn every_version_hides_what_is_open_and_lists_what_was_aborted() {
    let (_broker, mut client, coordinator, id) = start();
    produce(&mut client, "t", 0, batch(&["of no transaction"]));
    coordinator.write(7, &["to be aborted"]);
    coordinator.write(8, &["to be committed"]);
    coordinator.end(7, false).unwrap();
    coordinator.end(8, true).unwrap();
    coordinator.write(7, &["open"]);
    for version in 4..=18 {
        let mut request = committed_from(0);
        request.topics[0].topic_id = id;
        let found = ask(&mut client, version, &request);
        assert_eq!((found.high_watermark, found.last_stable_offset), (6, 5), "v{version}");
        assert_eq!(found.aborted_transactions, Some(vec![aborted(7, 1)]), "v{version}");
        assert_eq!(offsets(&found), [0, 1, 2, 3, 4], "v{version}");

        request.isolation_level = 0;
        let found = ask(&mut client, version, &request);
        assert_eq!((found.high_watermark, found.last_stable_offset), (6, 5), "v{version}");
        assert_eq!(found.aborted_transactions, None, "v{version}");
        assert_eq!(offsets(&found), [0, 1, 2, 3, 4, 5], "v{version}");
    }
}

#[test]
fn the_aborted_ones_are_those_with_records_in_the_answer_by_first_offset() {
    let (_broker, mut client, coordinator, _) = start();
    for (producer, value) in [(1, "a"), (2, "b"), (3, "c")] {
        coordinator.write(producer, &[value]);
    }
    for producer in [3, 2, 1] {
        coordinator.end(producer, false).unwrap();
    }
    coordinator.write(1, &["d"]);
    coordinator.end(1, false).unwrap();
    let mut listed = |offset| {
        let found = ask(&mut client, 11, &committed_from(offset));
        found.aborted_transactions.unwrap()
    };
    assert_eq!(listed(0), [aborted(1, 0), aborted(2, 1), aborted(3, 2), aborted(1, 6)]);
    assert_eq!(listed(4), [aborted(1, 0), aborted(2, 1), aborted(1, 6)]);
    assert_eq!(listed(6), [aborted(1, 6)]);
    assert_eq!(listed(8), []);
}

#[test]
fn a_reader_that_waits_is_woken_by_the_end_of_the_transaction() {
    let (_broker, mut client, coordinator, _) = start();
    coordinator.write(7, &["kept", "also kept"]);
    let mut request = committed_from(0);
    request.max_wait_ms = 0;
    let empty = ask(&mut client, 11, &request);
    assert_eq!((empty.last_stable_offset, empty.aborted_transactions), (0, Some(Vec::new())));
    assert_eq!(empty.records.unwrap().len(), 0);

    // Longer than a test may take.
    request.max_wait_ms = 600_000;
    for commit in [true, false] {
        let waiting = client.start(11, &request);
        coordinator.end(7, commit).unwrap();
        let found = client.finish::<FetchRequest>(11, waiting).responses.remove(0);
        let found = &found.partitions[0];
        let first = request.topics[0].partitions[0].fetch_offset;
        let expected = if commit { vec![] } else { vec![aborted(7, first)] };
        assert_eq!(found.aborted_transactions, Some(expected));
        assert_eq!(found.last_stable_offset, found.high_watermark);
        assert_eq!(offsets(found), [first, first + if commit { 2 } else { 1 }]);
        coordinator.write(7, &["next"]);
        request.topics[0].partitions[0].fetch_offset = found.high_watermark;
    }
}

#[test]
fn an_error_lists_nothing() {
    let (_broker, mut client, _coordinator, _) = start();
    let refused = ask(&mut client, 11, &committed_from(17));
    assert_eq!(refused.error_code, ErrorCode::OffsetOutOfRange);
    assert_eq!((refused.last_stable_offset, refused.aborted_transactions), (-1, None));
}

#[test]
fn a_restart_changes_nothing_of_it() {
    let (mut broker, _client, coordinator, _) = start();
    coordinator.write(1, &["a"]);
    coordinator.write(2, &["b"]);
    coordinator.end(1, false).unwrap();
    drop(coordinator);
    broker.restart();
    let mut client = broker.connect();
    let found = ask(&mut client, 11, &committed_from(0));
    assert_eq!((found.high_watermark, found.last_stable_offset), (3, 1));
    assert_eq!(found.aborted_transactions, Some(vec![aborted(1, 0)]));
    assert_eq!(offsets(&found), [0]);
    Coordinator::of(&broker).end(2, true).unwrap();
    let found = ask(&mut client, 11, &committed_from(1));
    assert_eq!(offsets(&found), [1, 2, 3]);
}

#[test]
fn list_offsets_ends_where_the_reader_may_read_to() {
    let (_broker, mut client, coordinator, _) = start();
    produce(&mut client, "t", 0, batch(&["of no transaction"]));
    coordinator.write(7, &["open"]);
    let mut list = |version, isolation_level, timestamp| {
        let partitions = vec![ListOffsetsPartition { timestamp, ..Default::default() }];
        let topics = vec![ListOffsetsTopic { name: Str::from_static("t"), partitions }];
        let request =
            ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..Default::default() };
        client.ask(version, &request).topics[0].partitions[0].offset
    };
    assert_eq!(list(1, READ_COMMITTED, -1), 2, "v1 has no isolation level");
    for version in 2..=11 {
        assert_eq!((list(version, 0, -1), list(version, READ_COMMITTED, -1)), (2, 1));
        let later = MADE.0;
        assert_eq!((list(version, 0, later), list(version, READ_COMMITTED, later)), (0, 0));
    }
    assert_eq!(list(7, READ_COMMITTED, -3), 0);
}
