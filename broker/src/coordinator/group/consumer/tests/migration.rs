//! Groups whose members change from the classic protocol to the consumer protocol and back.

use std::time::Duration;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupHeartbeatRequest, JoinGroupResponse, LeaveGroupResponse,
        groups::join_group::JoinGroupRequestProtocol,
    },
    state::{
        consumer_protocol::{
            AssignedPartition, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
            TopicPartition,
        },
        decode_value, encode_value,
    },
};

use super::{super::State, Owned, Table, alive, given, join, owning};
use crate::{
    config::Migration,
    coordinator::group::{
        Reply, Request,
        bench::{Bench, join_request, joiner, leave, limits, sync},
        classic,
        kind::Kind,
    },
};

fn subscription(owned: &[i32]) -> Bytes {
    let value = ConsumerProtocolSubscription {
        topics: vec!["t".into()],
        owned_partitions: vec![TopicPartition { topic: "t".into(), partitions: owned.to_vec() }],
        ..ConsumerProtocolSubscription::default()
    };
    encode_value(&value, 3)
}

fn assignment(partitions: &[i32]) -> Vec<u8> {
    let topic = AssignedPartition { topic: "t".into(), partitions: partitions.to_vec() };
    let value = ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: None };
    encode_value(&value, 3).to_vec()
}

fn join_classic(table: &mut Table, member: &str, owned: &[i32]) -> Option<JoinGroupResponse> {
    let mut request = join_request(member, &[]);
    request.protocols = vec![JoinGroupRequestProtocol {
        name: "cooperative-sticky".into(),
        metadata: subscription(owned),
    }];
    let ticket = table.bench.ask(Request::Join(request, joiner("x")));
    table.bench.joined(ticket)
}

/// What a classic member is given; the protocol's name is not said again.
fn sync_classic(table: &mut Table, member: &str, generation: i32) -> Result<Vec<i32>, ErrorCode> {
    let Request::Sync(mut request) = sync(member, generation, &[]) else { panic!("a sync") };
    request.protocol_name = None;
    let ticket = table.bench.ask(Request::Sync(request));
    let told = table.bench.synced(ticket).expect("answered at once");
    if !told.error_code.is_ok() {
        return Err(told.error_code);
    }
    let read: ConsumerProtocolAssignment = decode_value(told.assignment).unwrap();
    Ok(read.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect())
}

/// A classic group of `client-x` alone, which reads all of `t`.
fn classic_group(table: &mut Table) {
    let told = join_classic(table, "", &[]).expect("told its id");
    assert_eq!(told.error_code, ErrorCode::MemberIdRequired);
    let mut request = join_request("client-x", &[]);
    let metadata = subscription(&[]);
    request.protocols =
        vec![JoinGroupRequestProtocol { name: "cooperative-sticky".into(), metadata }];
    let ticket = table.bench.ask(Request::Join(request, joiner("x")));
    table.bench.advance(Duration::from_secs(4));
    assert_eq!(table.bench.joined(ticket).expect("joined").generation_id, 1);
    let all: &'static [u8] = assignment(&[0, 1, 2, 3]).leak();
    let Request::Sync(mut request) = sync("client-x", 1, &[("client-x", all)]) else {
        panic!("a sync")
    };
    request.protocol_name = None;
    let ticket = table.bench.ask(Request::Sync(request));
    assert!(table.bench.synced(ticket).is_some());
}

fn state_of(table: &Table) -> Option<classic::State> {
    match &table.bench.group()?.kind {
        Kind::Classic(group) => Some(group.state),
        Kind::Consumer(_) => None,
    }
}

/// The classic member gives `b` a half of what it had.
fn mixed_group(table: &mut Table) -> (Vec<i32>, Owned) {
    classic_group(table);
    let told = table.join("b", &["t"]);
    assert_eq!((told.member_epoch, given(&told)), (2, Some(Owned::new())));
    assert_eq!(table.bench.heartbeat("client-x", 1), ErrorCode::RebalanceInProgress);
    let told = join_classic(table, "client-x", &[0, 1, 2, 3]).expect("answered at once");
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::None, 1));
    let kept = sync_classic(table, "client-x", 1).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(table.bench.heartbeat("client-x", 1), ErrorCode::RebalanceInProgress);
    assert_eq!(given(&table.heartbeat(alive("b", 2)).unwrap()), None);
    let told = join_classic(table, "client-x", &kept).expect("answered at once");
    assert_eq!(told.generation_id, 2);
    assert_eq!(sync_classic(table, "client-x", 2), Ok(kept.clone()));
    assert_eq!(table.bench.heartbeat("client-x", 2), ErrorCode::None);
    let taken = given(&table.heartbeat(alive("b", 2)).unwrap()).expect("the rest");
    assert_eq!(taken.len(), 2);
    assert!(kept.iter().all(|one| !taken.iter().any(|(_, other)| other == one)));
    (kept, taken)
}

#[test]
fn a_classic_group_goes_over_and_back_without_losing_a_partition() {
    let mut table = Table::new(&[("t", 4)]);
    mixed_group(&mut table);
    assert_eq!(table.group().state(), State::Stable);
    table.compare_with_replay();

    table.heartbeat(alive("b", -1)).unwrap();
    assert_eq!(state_of(&table), Some(classic::State::PreparingRebalance));
    let restored = table.bench.restarted();
    assert_eq!(restored.classic().state, classic::State::Stable);
    assert_eq!(table.bench.heartbeat("client-x", 2), ErrorCode::RebalanceInProgress);
    let mut request = join_request("client-x", &[]);
    let metadata = subscription(&[]);
    request.protocols =
        vec![JoinGroupRequestProtocol { name: "cooperative-sticky".into(), metadata }];
    let told = table.bench.ask(Request::Join(request, joiner("x")));
    let told = table.bench.joined(told).expect("the only member");
    assert_eq!((told.generation_id, told.leader.as_str()), (3, "client-x"));
}

#[test]
fn members_of_both_kinds_are_checked_as_what_they_are() {
    let mut table = Table::new(&[("t", 4)]);
    mixed_group(&mut table);
    assert_eq!(table.bench.heartbeat("client-x", 1), ErrorCode::IllegalGeneration);
    assert_eq!(table.bench.heartbeat("b", 2), ErrorCode::UnknownMemberId);
    assert_eq!(sync_classic(&mut table, "client-x", 7), Err(ErrorCode::IllegalGeneration));
    let Reply::Leave(LeaveGroupResponse { members, .. }) = table.bench.answer(leave("z")) else {
        panic!("a leave");
    };
    assert_eq!(members[0].error_code, ErrorCode::UnknownMemberId);
    table.bench.answer(leave("client-x"));
    let told = table.heartbeat(alive("b", 2)).unwrap();
    assert_eq!(given(&told), Some(table.all("t")));
    table.compare_with_replay();
}

#[test]
fn a_classic_member_that_does_not_join_again_in_time_is_out() {
    let mut table = Table::new(&[("t", 4)]);
    classic_group(&mut table);
    table.join("b", &["t"]);
    for _ in 0..40 {
        table.bench.heartbeat("client-x", 1);
        table.heartbeat(owning("b", 2, &Owned::new())).unwrap();
        table.bench.advance(Duration::from_secs(9));
    }
    assert_eq!(table.bench.heartbeat("client-x", 1), ErrorCode::UnknownMemberId);
}

#[test]
fn who_may_go_over_is_a_setting() {
    let mut settings = limits();
    settings.consumer.migration = Migration { upgrade: false, downgrade: false };
    let mut table = Table::new(&[("t", 4)]);
    let catalog = std::sync::Arc::clone(&table.bench.catalog);
    table.bench = Bench::with(settings);
    table.bench.catalog.store(catalog.load_full());
    classic_group(&mut table);
    assert_eq!(table.refusal(join("b", &["t"])), ErrorCode::GroupIdNotFound);
    assert_eq!(state_of(&table), Some(classic::State::Stable));
}

#[test]
fn a_static_member_changes_its_protocol_under_its_name() {
    let mut table = Table::new(&[("t", 4)]);
    let named =
        ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..join("a", &["t"]) };
    table.heartbeat(named).unwrap();
    let mut request = join_request("", &[]);
    request.group_instance_id = Some("i".into());
    let metadata = subscription(&[]);
    request.protocols =
        vec![JoinGroupRequestProtocol { name: "cooperative-sticky".into(), metadata }];
    let ticket = table.bench.ask(Request::Join(request, joiner("x")));
    let told = table.bench.joined(ticket).expect("answered at once");
    assert_eq!((told.error_code, told.member_id.as_str()), (ErrorCode::None, "x"));
    assert_eq!(state_of(&table), Some(classic::State::PreparingRebalance));
    assert_eq!(table.refusal(alive("a", 2)), ErrorCode::GroupIdNotFound);
}
