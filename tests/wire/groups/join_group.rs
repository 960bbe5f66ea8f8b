//! JoinGroup v0-9.

use milena_protocol::{
    ErrorCode,
    messages::{JoinGroupRequest, LeaveGroupRequest},
};

use super::{broker, connect, enter, join, sync};

#[test]
fn every_version_gets_into_a_generation() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=9 {
        let joined = enter(&mut client, version, &format!("v{version}"));
        assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::None, 1), "{version}");
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        assert_eq!(joined.protocol_type.as_deref(), (version >= 7).then_some("consumer"));
        assert_eq!((&joined.leader, joined.members.len()), (&joined.member_id, 1));
        assert_eq!(joined.members[0].metadata, "m");
        assert!(joined.member_id.starts_with("raw-"));
    }
}

#[test]
fn bad_joins_are_refused_as_kafka_refuses_them() {
    let broker = broker();
    let mut client = connect(&broker);
    let good = join("g", "");
    for (request, error) in [
        (JoinGroupRequest { group_id: "".into(), ..good.clone() }, ErrorCode::InvalidGroupId),
        (
            JoinGroupRequest { session_timeout_ms: 5_999, ..good.clone() },
            ErrorCode::InvalidSessionTimeout,
        ),
        (
            JoinGroupRequest { session_timeout_ms: 1_800_001, ..good.clone() },
            ErrorCode::InvalidSessionTimeout,
        ),
        (
            JoinGroupRequest { protocols: vec![], ..good.clone() },
            ErrorCode::InconsistentGroupProtocol,
        ),
        (JoinGroupRequest { member_id: "x".into(), ..good }, ErrorCode::UnknownMemberId),
    ] {
        let told = client.ask(9, &request);
        assert_eq!((told.error_code, told.generation_id), (error, -1));
    }
}

#[test]
fn a_protocol_that_is_named_twice_is_one_protocol() {
    let broker = broker();
    let mut client = connect(&broker);
    let mut twice = join("g", "");
    twice.protocols.extend(twice.protocols.clone());
    let joined = client.ask(3, &twice);
    assert_eq!(
        (joined.error_code, joined.protocol_name.as_deref()),
        (ErrorCode::None, Some("range"))
    );
    let told = client.ask(9, &join("g", ""));
    assert_eq!(told.error_code, ErrorCode::MemberIdRequired, "others can join");
}

#[test]
fn two_members_meet_in_one_generation() {
    let broker = broker();
    let (mut one, mut two) = (connect(&broker), connect(&broker));
    let first = enter(&mut one, 9, "g").member_id;
    one.ask(5, &sync("g", &first, 1, "a"));
    let second = two.ask(9, &join("g", "")).member_id;
    let waiting = two.start(9, &join("g", &second));
    let leader = one.ask(9, &join("g", &first));
    let follower = two.finish::<JoinGroupRequest>(9, waiting);
    assert_eq!((leader.generation_id, follower.generation_id), (2, 2));
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    assert_eq!((&leader.leader, &follower.leader), (&first, &first));
    let left = LeaveGroupRequest { group_id: "g".into(), member_id: second, ..Default::default() };
    assert_eq!(two.ask(1, &left).error_code, ErrorCode::None);
}

#[test]
fn a_join_that_waits_is_answered_when_the_broker_stops() {
    let mut broker = milena_tests::TestBroker::start(&[]);
    let mut client = connect(&broker);
    let id = client.ask(9, &join("g", "")).member_id;
    let waiting = client.start(9, &join("g", &id));
    milena_tests::wait_until("the join to arrive", || {
        broker.metric("milena_requests_total", Some("JoinGroup")) >= 2
    });
    broker.stop();
    let told = client.finish::<JoinGroupRequest>(9, waiting);
    assert_eq!(told.error_code, ErrorCode::NotCoordinator);
}
