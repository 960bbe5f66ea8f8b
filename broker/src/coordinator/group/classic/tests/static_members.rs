//! Members with a name that outlives them (KIP-345).

use std::time::Duration;

use milena_protocol::{
    ErrorCode,
    messages::{LeaveGroupRequest, groups::leave_group::MemberIdentity},
};

use crate::coordinator::group::{
    Reply, Request,
    bench::{Bench, GROUP, heartbeat, join_static, sync},
};

/// A stable group of generation 1 with the static members `one` (who leads) and `two`.
fn group() -> Bench {
    let mut bench = Bench::new();
    let joins = [bench.ask(join_static("", "one", "1")), bench.ask(join_static("", "two", "2"))];
    bench.advance(Duration::from_secs(6));
    for ticket in joins {
        assert_eq!(bench.joined(ticket).unwrap().generation_id, 1);
    }
    let leader = bench.ask(sync("one-1", 1, &[("one-1", b"A"), ("two-2", b"B")]));
    assert_eq!(bench.synced(leader).unwrap().assignment, "A");
    let follower = bench.ask(sync("two-2", 1, &[]));
    assert_eq!(bench.synced(follower).unwrap().assignment, "B");
    bench
}

#[test]
fn a_restarted_one_gets_its_assignment_back_without_a_rebalance() {
    let mut bench = group();
    let back = bench.ask(join_static("", "two", "3"));
    let joined = bench.joined(back).unwrap();
    assert_eq!((joined.member_id.as_str(), joined.generation_id), ("two-3", 1));
    assert!(!joined.skip_assignment && joined.members.is_empty());
    let synced = bench.ask(sync("two-3", 1, &[]));
    assert_eq!(bench.synced(synced).unwrap().assignment, "B");
    assert_eq!(bench.heartbeat("one-1", 1), ErrorCode::None);
    assert_eq!(bench.restarted().classic().record(), bench.classic().record());
}

#[test]
fn a_restarted_leader_is_told_not_to_assign() {
    let mut bench = group();
    let back = bench.ask(join_static("", "one", "3"));
    let joined = bench.joined(back).unwrap();
    assert_eq!((joined.leader.as_str(), joined.skip_assignment), ("one-3", true));
    assert_eq!(joined.members.len(), 2);
}

#[test]
fn a_restarted_leader_that_could_not_understand_is_told_of_its_predecessor() {
    let mut bench = group();
    let Request::Join(r, mut joiner) = join_static("", "one", "3") else { panic!("a join") };
    joiner.can_skip_assignment = false;
    let back = bench.ask(Request::Join(r, joiner));
    let joined = bench.joined(back).unwrap();
    assert_eq!((joined.leader.as_str(), joined.skip_assignment), ("one-1", false));
    assert_eq!(joined.members, []);
}

#[test]
fn whoever_uses_the_old_id_is_fenced() {
    let mut bench = group();
    bench.ask(join_static("", "two", "3"));
    let told = bench.answer(heartbeat("two-2", 1, Some("two")));
    let Reply::Heartbeat(told) = told else { panic!("a heartbeat's reply") };
    assert_eq!(told.error_code, ErrorCode::FencedInstanceId);
    let late = bench.ask(join_static("two-2", "two", "4"));
    assert_eq!(bench.joined(late).unwrap().error_code, ErrorCode::FencedInstanceId);
}

#[test]
fn a_join_that_waits_is_fenced_when_its_name_comes_again() {
    let mut bench = Bench::new();
    let first = bench.ask(join_static("", "one", "1"));
    let second = bench.ask(join_static("", "one", "2"));
    assert_eq!(bench.joined(first).unwrap().error_code, ErrorCode::FencedInstanceId);
    bench.advance(Duration::from_secs(6));
    assert_eq!(bench.joined(second).unwrap().member_id, "one-2");
    assert!(bench.open().is_empty());
}

#[test]
fn one_that_is_away_is_missed_only_after_its_session() {
    let mut bench = group();
    bench.advance(Duration::from_secs(9));
    assert_eq!(bench.heartbeat("one-1", 1), ErrorCode::None);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.heartbeat("one-1", 1), ErrorCode::RebalanceInProgress);
}

#[test]
fn an_administrator_removes_one_by_its_name() {
    let mut bench = group();
    let identity = |name: &str| MemberIdentity {
        group_instance_id: Some(name.into()),
        ..MemberIdentity::default()
    };
    let told = bench.answer(Request::Leave(LeaveGroupRequest {
        group_id: GROUP.into(),
        members: vec![identity("two"), identity("nobody")],
        ..LeaveGroupRequest::default()
    }));
    let Reply::Leave(told) = told else { panic!("a leave's reply") };
    let codes: Vec<_> = told.members.iter().map(|member| member.error_code).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownMemberId]);
    assert_eq!(bench.heartbeat("one-1", 1), ErrorCode::RebalanceInProgress);
}
