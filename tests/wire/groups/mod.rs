//! Groups of consumers, and who coordinates them.

mod consumer_group_heartbeat;
mod delete_groups;
mod describe_groups;
mod find_coordinator;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync_group;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        FindCoordinatorRequest, JoinGroupRequest, JoinGroupResponse, ListGroupsRequest,
        SyncGroupRequest,
        groups::{join_group::JoinGroupRequestProtocol, sync_group::SyncGroupRequestAssignment},
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker, wait_until};

use crate::topics::create_topics::create;

/// A broker whose groups begin at once.
fn broker() -> TestBroker {
    TestBroker::start(&[
        ("group.initial.rebalance.delay.ms", "0"),
        ("offsets.topic.num.partitions", "3"),
    ])
}

/// A connection to it, once its groups are there.
fn connect(broker: &TestBroker) -> RawClient {
    let mut client = broker.connect();
    client.ask(0, &FindCoordinatorRequest { key: "g".into(), ..Default::default() });
    wait_until("the groups to be loaded", || {
        client.ask(0, &ListGroupsRequest::default()).error_code.is_ok()
    });
    client
}

fn join(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: "m".into() }],
        ..JoinGroupRequest::default()
    }
}

fn sync(group: &str, member: &str, generation: i32, assignment: &str) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: group.into(),
        generation_id: generation,
        member_id: member.into(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member.into(),
            assignment: assignment.to_owned().into(),
        }],
        ..SyncGroupRequest::default()
    }
}

/// Joins a group alone, in as many requests as it takes.
fn enter(client: &mut RawClient, version: i16, group: &str) -> JoinGroupResponse {
    let first = client.ask(version, &join(group, ""));
    if version < 4 {
        return first;
    }
    assert_eq!(first.error_code, ErrorCode::MemberIdRequired);
    client.ask(version, &join(group, &first.member_id))
}

/// The only member of a stable group of generation 1.
fn member(client: &mut RawClient, group: &str) -> Str {
    let joined = enter(client, 9, group);
    assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::None, 1));
    let synced = client.ask(5, &sync(group, &joined.member_id, 1, "a"));
    assert_eq!(synced.error_code, ErrorCode::None);
    joined.member_id
}

#[test]
fn what_a_group_keeps_is_not_the_frame_that_it_came_in() {
    let broker = broker();
    let mut client = connect(&broker);
    create(&mut client, "t", 1);
    let large = "m".repeat(20_000);
    let asked = |member: &str| {
        let mut join = join("g", member);
        join.protocols[0].metadata = large.clone().into();
        join
    };
    let id = client.ask(9, &asked("")).member_id;
    assert_eq!(client.ask(9, &asked(&id)).error_code, ErrorCode::None);
    assert_eq!(client.ask(5, &sync("g", &id, 1, &large)).error_code, ErrorCode::None);
    let mut commit = offset_commit::commit("g", "t", Uuid::ZERO, 1);
    commit.member_id = id;
    commit.generation_id_or_member_epoch = 1;
    for partition in &mut commit.topics[0].partitions {
        partition.committed_metadata = Some("n".repeat(4_000).into());
    }
    assert_eq!(client.ask(8, &commit).topics[0].partitions[0].error_code, ErrorCode::None);
    wait_until("nothing is held", || broker.metric("milena_request_bytes_held", None) == 0);
}
