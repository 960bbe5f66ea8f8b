//! DeleteRecords v0-2.

use milena_protocol::{
    ErrorCode,
    messages::{
        DeleteRecordsRequest,
        data::delete_records::{
            DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::*;

fn delete(
    client: &mut RawClient,
    version: i16,
    targets: &[(i32, i64)],
) -> Vec<DeleteRecordsPartitionResult> {
    let partitions = targets
        .iter()
        .map(|&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset });
    let name = Str::from_static("t");
    let topics = vec![DeleteRecordsTopic { name, partitions: partitions.collect() }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 10_000 };
    client.ask(version, &request).topics.remove(0).partitions
}

fn result(partition_index: i32, low: i64, error_code: ErrorCode) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult { partition_index, low_watermark: low, error_code }
}

#[test]
fn every_version_moves_the_start_and_it_stays_there() {
    let mut broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    for _ in 0..5 {
        produce(&mut client, "t", 0, batch(&["a"]));
    }
    for version in 0..=2 {
        let to = i64::from(version) + 1;
        assert_eq!(delete(&mut client, version, &[(0, to)]), [result(0, to, ErrorCode::None)]);
    }
    broker.restart();
    let mut client = broker.connect();
    assert_eq!(fetch(&mut client, "t", 0, 2).error_code, ErrorCode::OffsetOutOfRange);
    assert_eq!(fetch(&mut client, "t", 0, 3).log_start_offset, 3);
    assert_eq!(delete(&mut client, 2, &[(0, -1)]), [result(0, 5, ErrorCode::None)]);
    assert_eq!(produce(&mut client, "t", 0, batch(&["b"])).base_offset, 5);
}

#[test]
fn results_come_in_the_order_of_the_request() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 2, &[]);
    produce(&mut client, "t", 1, batch(&["a", "b"]));
    let results = delete(&mut client, 2, &[(9, 0), (1, 3), (1, -7), (1, 1), (0, -1)]);
    let out_of_range = ErrorCode::OffsetOutOfRange;
    let expected = [
        result(9, -1, ErrorCode::UnknownTopicOrPartition),
        result(1, -1, out_of_range),
        result(1, -1, out_of_range),
        result(1, 1, ErrorCode::None),
        result(0, 0, ErrorCode::None),
    ];
    assert_eq!(results, expected);
}
