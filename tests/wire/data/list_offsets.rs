//! ListOffsets v1-11.

use milena_protocol::{
    ErrorCode, Timestamp,
    compression::Codec,
    messages::{
        ListOffsetsRequest,
        data::list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic,
        },
    },
    records::BatchBuilder,
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::*;

fn list(client: &mut RawClient, version: i16, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    ask(client, version, vec![partition]).remove(0)
}

fn ask(
    client: &mut RawClient,
    version: i16,
    partitions: Vec<ListOffsetsPartition>,
) -> Vec<ListOffsetsPartitionResponse> {
    let name = Str::from_static("t");
    let topics = vec![ListOffsetsTopic { name, partitions }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    client.ask(version, &request).topics.remove(0).partitions
}

fn stamped(times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::Lz4);
    for &time in times {
        builder.append(Timestamp(MADE.0 + time), None, Some(b"v"), &[]).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn every_version_knows_both_ends() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["a", "b", "c"]));
    for version in 1..=11 {
        let epoch = if version < 4 { -1 } else { 0 };
        for (timestamp, offset) in [(-1, 3), (-2, 0)] {
            let expected = ListOffsetsPartitionResponse {
                offset,
                leader_epoch: epoch,
                ..ListOffsetsPartitionResponse::default()
            };
            assert_eq!(list(&mut client, version, timestamp), expected, "v{version}");
        }
    }
}

#[test]
fn a_time_is_found_at_the_record_within_its_batch() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, stamped(&[10, 20, 30]));
    produce(&mut client, "t", 0, stamped(&[50, 40]));
    let mut find = |time: i64| {
        let found = list(&mut client, 7, MADE.0 + time);
        (found.offset, found.timestamp - MADE.0)
    };
    assert_eq!(find(0), (0, 10));
    assert_eq!(find(11), (1, 20));
    assert_eq!(find(30), (2, 30));
    assert_eq!(find(31), (3, 50));
    let none = list(&mut client, 7, MADE.0 + 51);
    assert_eq!((none.error_code, none.offset, none.timestamp), (ErrorCode::None, -1, -1));
    let newest = list(&mut client, 7, -3);
    assert_eq!((newest.offset, newest.timestamp), (3, MADE.0 + 50));
}

#[test]
fn what_only_tiers_have_is_not_there() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    assert_eq!(list(&mut client, 8, -4).offset, 0);
    assert_eq!(list(&mut client, 9, -5), ListOffsetsPartitionResponse::default());
    assert_eq!(list(&mut client, 11, -6), ListOffsetsPartitionResponse::default());
    assert_eq!(list(&mut client, 7, -3).offset, -1, "no record is the newest");
}

#[test]
fn times_that_mean_nothing_are_an_unsupported_version() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    for (version, timestamp) in [(6, -3), (7, -4), (8, -5), (10, -6), (11, -7), (11, i64::MIN)] {
        let code = list(&mut client, version, timestamp).error_code;
        assert_eq!(code, ErrorCode::UnsupportedVersion, "{timestamp} in v{version}");
    }
}

#[test]
fn each_bad_partition_is_refused_for_itself() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 2, &[]);
    let partition = |partition_index, current_leader_epoch| ListOffsetsPartition {
        partition_index,
        current_leader_epoch,
        timestamp: -1,
    };
    let asked = vec![partition(0, -1), partition(1, 9), partition(0, -1), partition(7, -1)];
    let codes: Vec<_> = ask(&mut client, 4, asked).iter().map(|answer| answer.error_code).collect();
    let twice = ErrorCode::InvalidRequest;
    let expected =
        [twice, ErrorCode::UnknownLeaderEpoch, twice, ErrorCode::UnknownTopicOrPartition];
    assert_eq!(codes, expected);
}
