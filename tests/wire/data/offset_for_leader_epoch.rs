//! OffsetForLeaderEpoch v2-4.

use milena_protocol::{
    ErrorCode,
    messages::{
        OffsetForLeaderEpochRequest,
        data::offset_for_leader_epoch::{
            EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::*;

fn ask(client: &mut RawClient, version: i16, epoch: i32, current: i32) -> EpochEndOffset {
    let partition = OffsetForLeaderPartition {
        leader_epoch: epoch,
        current_leader_epoch: current,
        ..OffsetForLeaderPartition::default()
    };
    let topic = OffsetForLeaderTopic { topic: Str::from_static("t"), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
    client.ask(version, &request).topics[0].partitions[0].clone()
}

#[test]
fn each_reign_ends_where_the_next_one_begins() {
    let mut broker = TestBroker::start(&[]);
    create(&mut broker.connect(), "t", 1, &[]);
    produce(&mut broker.connect(), "t", 0, batch(&["a", "b"]));
    broker.restart();
    let mut client = broker.connect();
    produce(&mut client, "t", 0, batch(&["c"]));
    let end = |leader_epoch, end_offset| EpochEndOffset {
        leader_epoch,
        end_offset,
        ..EpochEndOffset::default()
    };
    for version in 2..=4 {
        assert_eq!(ask(&mut client, version, 0, -1), end(0, 2));
        assert_eq!(ask(&mut client, version, 1, 1), end(1, 3));
        assert_eq!(ask(&mut client, version, 2, -1), end(-1, -1), "not begun");
        assert_eq!(ask(&mut client, version, 1, 0).error_code, ErrorCode::FencedLeaderEpoch);
        assert_eq!(ask(&mut client, version, 1, 9).error_code, ErrorCode::UnknownLeaderEpoch);
    }
}

#[test]
fn an_empty_log_knows_its_leader() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let found = ask(&mut client, 4, 0, -1);
    assert_eq!((found.leader_epoch, found.end_offset), (0, 0));
}
