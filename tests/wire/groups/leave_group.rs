//! LeaveGroup v0-5.

use milena_protocol::{
    ErrorCode,
    messages::{LeaveGroupRequest, groups::leave_group::MemberIdentity},
    wire::Str,
};

use super::{broker, connect, member};

fn leave(version: i16, group: &str, member: &Str) -> LeaveGroupRequest {
    let mut request = LeaveGroupRequest { group_id: group.into(), ..LeaveGroupRequest::default() };
    if version < 3 {
        request.member_id = member.clone();
    } else {
        let member_id = member.clone();
        request.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
    }
    request
}

#[test]
fn every_version_leaves_once() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=5 {
        let group = format!("v{version}");
        let id = member(&mut client, &group);
        for error in [ErrorCode::None, ErrorCode::UnknownMemberId] {
            let told = client.ask(version, &leave(version, &group, &id));
            let single = if version < 3 { error } else { ErrorCode::None };
            assert_eq!(told.error_code, single);
            let members: Vec<_> = told.members.iter().map(|one| one.error_code).collect();
            assert_eq!(members, if version < 3 { vec![] } else { vec![error] });
        }
    }
}

#[test]
fn a_group_without_a_name_cannot_be_left() {
    let broker = broker();
    let mut client = connect(&broker);
    let told = client.ask(5, &leave(5, "", &"x".into()));
    assert_eq!(told.error_code, ErrorCode::InvalidGroupId);
}
