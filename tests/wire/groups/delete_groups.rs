//! DeleteGroups v0-3.

use milena_protocol::{
    ErrorCode,
    messages::{DeleteGroupsRequest, LeaveGroupRequest},
};

use super::{broker, connect, member};

#[test]
fn every_version_deletes_a_group_without_members() {
    let mut broker = broker();
    let mut client = connect(&broker);
    for version in 0..=3 {
        let group = format!("v{version}");
        let member_id = member(&mut client, &group);
        let delete = DeleteGroupsRequest { groups_names: vec![group.as_str().into(), "x".into()] };
        let leave =
            LeaveGroupRequest { group_id: group.as_str().into(), member_id, ..Default::default() };
        for error in [ErrorCode::NonEmptyGroup, ErrorCode::None, ErrorCode::GroupIdNotFound] {
            let told = client.ask(version, &delete);
            let codes: Vec<_> = told.results.iter().map(|one| one.error_code).collect();
            assert_eq!(codes, [error, ErrorCode::GroupIdNotFound]);
            client.ask(0, &leave);
        }
    }
    broker.restart();
    let mut client = connect(&broker);
    let delete = DeleteGroupsRequest { groups_names: vec!["v3".into()] };
    assert_eq!(client.ask(2, &delete).results[0].error_code, ErrorCode::GroupIdNotFound);
}
