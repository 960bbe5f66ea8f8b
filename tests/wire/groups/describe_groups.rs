//! DescribeGroups v0-6.

use milena_protocol::{
    ErrorCode,
    messages::{DescribeGroupsRequest, JoinGroupRequest},
};

use super::{broker, connect, join, member};

#[test]
fn every_version_describes_a_group_and_one_that_is_not_there() {
    let broker = broker();
    let mut client = connect(&broker);
    let id = member(&mut client, "g");
    for version in 0..=6 {
        let request = DescribeGroupsRequest {
            groups: vec!["g".into(), "x".into()],
            include_authorized_operations: version >= 3,
        };
        let told = client.ask(version, &request).groups;
        let group = &told[0];
        assert_eq!((group.error_code, group.group_state.as_str()), (ErrorCode::None, "Stable"));
        assert_eq!((&*group.protocol_type, &*group.protocol_data), ("consumer", "range"));
        let member = &group.members[0];
        assert_eq!((&member.member_id, &*member.client_id), (&id, "raw"));
        assert_eq!(&*member.client_host, "/127.0.0.1");
        assert_eq!(
            (&member.member_metadata[..], &member.member_assignment[..]),
            (&b"m"[..], &b"a"[..])
        );
        assert_eq!(group.authorized_operations, if version >= 3 { 3400 } else { i32::MIN });
        let absent = if version >= 6 { ErrorCode::GroupIdNotFound } else { ErrorCode::None };
        assert_eq!((told[1].error_code, told[1].group_state.as_str()), (absent, "Dead"));
    }
}

#[test]
fn what_a_member_was_given_is_shown_while_the_group_prepares_for_more() {
    let broker = broker();
    let (mut client, mut other) = (connect(&broker), connect(&broker));
    let first = member(&mut client, "g");
    let second = other.ask(9, &join("g", "")).member_id;
    let waiting = other.start(9, &join("g", &second));
    let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    milena_tests::wait_until("the group to prepare", || {
        &*client.ask(5, &request).groups[0].group_state == "PreparingRebalance"
    });
    let told = client.ask(5, &request).groups;
    let shown = told[0].members.iter().map(|it| (&*it.member_metadata, &*it.member_assignment));
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    assert_eq!(shown, [(&b""[..], &b""[..]), (&b""[..], &b"a"[..])]);
    client.ask(9, &join("g", &first));
    other.finish::<JoinGroupRequest>(9, waiting);
}
