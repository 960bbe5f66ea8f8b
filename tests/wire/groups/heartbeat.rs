//! Heartbeat v0-4.

use milena_protocol::{ErrorCode, messages::HeartbeatRequest};

use super::{broker, connect, member};

#[test]
fn every_version_hears_whether_it_is_still_in() {
    let broker = broker();
    let mut client = connect(&broker);
    let id = member(&mut client, "g");
    for version in 0..=4 {
        for (group, member, generation, error) in [
            ("g", id.as_str(), 1, ErrorCode::None),
            ("g", &id, 2, ErrorCode::IllegalGeneration),
            ("g", "x", 1, ErrorCode::UnknownMemberId),
            ("x", &id, 1, ErrorCode::UnknownMemberId),
            ("", &id, 1, ErrorCode::InvalidGroupId),
        ] {
            let request = HeartbeatRequest {
                group_id: group.into(),
                generation_id: generation,
                member_id: member.into(),
                ..HeartbeatRequest::default()
            };
            assert_eq!(client.ask(version, &request).error_code, error, "{request:?}");
        }
    }
}

#[test]
fn a_member_is_still_in_after_a_restart() {
    let mut broker = broker();
    let mut client = connect(&broker);
    let id = member(&mut client, "g");
    broker.restart();
    let mut client = connect(&broker);
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: id,
        ..HeartbeatRequest::default()
    };
    assert_eq!(client.ask(4, &request).error_code, ErrorCode::None);
}
