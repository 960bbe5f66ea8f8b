//! SyncGroup v0-5.

use milena_protocol::{ErrorCode, messages::SyncGroupRequest};

use super::{broker, connect, enter, sync};

#[test]
fn every_version_brings_and_fetches_an_assignment() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=5 {
        let group = format!("v{version}");
        let id = enter(&mut client, 4, &group).member_id;
        for _ in 0..2 {
            let synced = client.ask(version, &sync(&group, &id, 1, "all"));
            assert_eq!((synced.error_code, &synced.assignment[..]), (ErrorCode::None, &b"all"[..]));
            assert_eq!(synced.protocol_name.as_deref(), (version >= 5).then_some("range"));
        }
    }
}

#[test]
fn bad_syncs_are_refused_as_kafka_refuses_them() {
    let broker = broker();
    let mut client = connect(&broker);
    let id = enter(&mut client, 4, "g").member_id;
    let good = sync("g", &id, 1, "all");
    for (request, error) in [
        (SyncGroupRequest { group_id: "".into(), ..good.clone() }, ErrorCode::InvalidGroupId),
        (SyncGroupRequest { generation_id: 2, ..good.clone() }, ErrorCode::IllegalGeneration),
        (SyncGroupRequest { member_id: "x".into(), ..good.clone() }, ErrorCode::UnknownMemberId),
        (
            SyncGroupRequest { protocol_name: Some("x".into()), ..good.clone() },
            ErrorCode::InconsistentGroupProtocol,
        ),
        (SyncGroupRequest { protocol_name: None, ..good }, ErrorCode::InconsistentGroupProtocol),
    ] {
        assert_eq!(client.ask(5, &request).error_code, error);
    }
}
