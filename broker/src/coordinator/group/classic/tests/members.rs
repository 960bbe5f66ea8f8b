//! Who gets in, who stays in, and what the others are told.

use std::time::Duration;

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeGroupsResponse, SyncGroupRequest,
        groups::{
            describe_groups::{DescribedGroup, DescribedGroupMember},
            list_groups::ListedGroup,
        },
    },
};

use super::{enter, two_members};
use crate::coordinator::group::{
    Described, Limits, Reply, Request,
    bench::{Bench, GROUP, commit, heartbeat, join, join_with, leave, limits, sync},
};

#[test]
fn a_new_member_is_told_its_id_and_comes_back_with_it() {
    let mut bench = Bench::new();
    let (id, ticket) = enter(&mut bench, "1");
    assert_eq!(id, "client-1");
    assert_eq!(bench.joined(ticket), None);
    bench.advance(Duration::from_millis(2_999));
    assert_eq!(bench.joined(ticket), None);
    bench.advance(Duration::from_millis(1));
    let joined = bench.joined(ticket).unwrap();
    assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::None, 1));
    assert_eq!(joined.leader, joined.member_id);
    assert_eq!(joined.members.len(), 1);
}

#[test]
fn an_id_that_nobody_was_given_is_unknown() {
    let mut bench = two_members();
    for request in [
        join("stranger"),
        sync("stranger", 1, &[]),
        heartbeat("stranger", 1, None),
        commit("stranger", 1, 5),
        leave("stranger"),
    ] {
        assert_eq!(code(&bench.answer(request)), ErrorCode::UnknownMemberId);
    }
}

#[test]
fn a_group_that_is_not_there_has_no_members() {
    for (request, error) in [
        (join("m"), ErrorCode::UnknownMemberId),
        (sync("m", 1, &[]), ErrorCode::UnknownMemberId),
        (heartbeat("m", 1, None), ErrorCode::UnknownMemberId),
        (leave("m"), ErrorCode::UnknownMemberId),
        (commit("m", 1, 5), ErrorCode::IllegalGeneration),
        (Request::Delete(GROUP.into()), ErrorCode::GroupIdNotFound),
    ] {
        let mut bench = Bench::new();
        assert_eq!(code(&bench.answer(request)), error);
        assert!(bench.group().is_none() && bench.records().is_empty());
    }
}

#[test]
fn another_generation_is_illegal() {
    let mut bench = two_members();
    for request in
        [sync("client-a", 2, &[]), heartbeat("client-a", 0, None), commit("client-a", 7, 5)]
    {
        assert_eq!(code(&bench.answer(request)), ErrorCode::IllegalGeneration);
    }
}

#[test]
fn a_promised_id_that_does_not_come_back_is_forgotten() {
    let mut bench = Bench::new();
    let ticket = bench.ask(super::join_anew("1"));
    assert_eq!(bench.joined(ticket).unwrap().error_code, ErrorCode::MemberIdRequired);
    bench.advance(Duration::from_secs(10));
    assert_eq!(code(&bench.answer(join("client-1"))), ErrorCode::UnknownMemberId);
}

#[test]
fn a_silent_member_is_out_after_its_session() {
    let mut bench = two_members();
    bench.advance(Duration::from_secs(9));
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::None);
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::RebalanceInProgress);
    assert_eq!(bench.heartbeat("client-b", 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut bench = two_members();
    for _ in 0..5 {
        bench.advance(Duration::from_secs(9));
        assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::None);
        assert_eq!(code(&bench.answer(commit("client-b", 1, 5))), ErrorCode::None);
    }
}

#[test]
fn who_leaves_makes_the_others_join_again() {
    let mut bench = two_members();
    assert_eq!(code(&bench.answer(leave("client-a"))), ErrorCode::None);
    assert_eq!(bench.heartbeat("client-b", 1), ErrorCode::RebalanceInProgress);
    let ticket = bench.ask(join("client-b"));
    let joined = bench.joined(ticket).unwrap();
    assert_eq!((joined.generation_id, joined.leader.as_str()), (2, "client-b"));
}

#[test]
fn the_last_to_leave_leaves_an_empty_group_that_can_be_deleted() {
    let mut bench = two_members();
    assert_eq!(code(&bench.answer(Request::Delete(GROUP.into()))), ErrorCode::NonEmptyGroup);
    bench.answer(commit("client-a", 1, 5));
    bench.answer(leave("client-a"));
    bench.answer(leave("client-b"));
    let Reply::Describe(Described::Group(described)) =
        bench.answer(Request::Describe(GROUP.into()))
    else {
        panic!("the group is there");
    };
    assert_eq!((described.group_state.as_str(), described.members.len()), ("Empty", 0));
    assert_eq!(code(&bench.answer(Request::Delete(GROUP.into()))), ErrorCode::None);
    assert!(bench.group().is_none() && bench.restarted().group().is_none());
}

#[test]
fn a_member_with_nothing_in_common_is_inconsistent() {
    let mut bench = two_members();
    let stranger = join_with("", &[("roundrobin", b"")]);
    assert_eq!(code(&bench.answer(stranger)), ErrorCode::InconsistentGroupProtocol);
    assert_eq!(code(&bench.answer(join_with("", &[]))), ErrorCode::InconsistentGroupProtocol);
    let Request::Sync(r) = sync("client-a", 1, &[]) else { panic!("a sync") };
    let other = SyncGroupRequest { protocol_name: Some("other".into()), ..r };
    assert_eq!(code(&bench.answer(Request::Sync(other))), ErrorCode::InconsistentGroupProtocol);
}

#[test]
fn a_full_group_takes_no_more() {
    let mut bench = Bench::with(Limits { members_max: 2, ..limits() });
    let (_, a) = enter(&mut bench, "a");
    let (_, b) = enter(&mut bench, "b");
    assert_eq!(code(&bench.answer(super::join_anew("c"))), ErrorCode::GroupMaxSizeReached);
    bench.advance(Duration::from_secs(6));
    assert!(bench.joined(a).is_some() && bench.joined(b).is_some());
    assert_eq!(code(&bench.answer(super::join_anew("c"))), ErrorCode::GroupMaxSizeReached);
}

#[test]
fn a_stable_group_is_described_whole() {
    let mut bench = two_members();
    let Reply::Describe(Described::Group(group)) = bench.answer(Request::Describe(GROUP.into()))
    else {
        panic!("a description");
    };
    let member = |id: &str, assignment: &'static [u8]| DescribedGroupMember {
        member_id: id.into(),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        member_metadata: "r".into(),
        member_assignment: assignment.into(),
        ..DescribedGroupMember::default()
    };
    let expected = DescribedGroup {
        group_id: GROUP.into(),
        group_state: "Stable".into(),
        protocol_type: "consumer".into(),
        protocol_data: "range".into(),
        members: vec![member("client-a", b"A"), member("client-b", b"B")],
        ..DescribedGroup::default()
    };
    let whole = |group| DescribeGroupsResponse { groups: vec![group], ..Default::default() };
    assert_eq!(whole(group), whole(expected));
    let listed = ListedGroup {
        group_id: GROUP.into(),
        protocol_type: "consumer".into(),
        group_state: "Stable".into(),
        group_type: "classic".into(),
    };
    assert_eq!(bench.answer(Request::List), Reply::List(vec![listed]));
}

fn code(reply: &Reply) -> ErrorCode {
    match reply {
        Reply::Join(response) => response.error_code,
        Reply::Sync(response) => response.error_code,
        Reply::Heartbeat(response) => response.error_code,
        Reply::Leave(response) => response.members[0].error_code,
        Reply::Delete(result) => result.error_code,
        Reply::Commit(response) => response.topics[0].partitions[0].error_code,
        other => panic!("{other:?}"),
    }
}
