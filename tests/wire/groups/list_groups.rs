//! ListGroups v0-5.

use milena_protocol::{messages::ListGroupsRequest, wire::Str};
use milena_tests::RawClient;

use super::{broker, connect, enter, member};

fn list(client: &mut RawClient, version: i16, states: &[&str], types: &[&str]) -> Vec<String> {
    let filter = |names: &[&str]| names.iter().map(|name| Str::from(*name)).collect();
    let request = ListGroupsRequest { states_filter: filter(states), types_filter: filter(types) };
    let mut listed: Vec<_> = client
        .ask(version, &request)
        .groups
        .iter()
        .map(|group| {
            let parts =
                [&group.group_id, &group.protocol_type, &group.group_state, &group.group_type];
            parts.map(Str::as_str).join(" ").trim_end().to_owned()
        })
        .collect();
    listed.sort();
    listed
}

#[test]
fn every_version_lists_what_it_can_tell() {
    let broker = broker();
    let mut client = connect(&broker);
    member(&mut client, "one");
    enter(&mut client, 9, "two");
    for version in 0..=3 {
        assert_eq!(list(&mut client, version, &[], &[]), ["one consumer", "two consumer"]);
    }
    assert_eq!(
        list(&mut client, 4, &[], &[]),
        ["one consumer Stable", "two consumer CompletingRebalance"]
    );
    assert_eq!(list(&mut client, 4, &["stable"], &[]), ["one consumer Stable"]);
    assert_eq!(list(&mut client, 5, &["Stable"], &["classic"]), ["one consumer Stable classic"]);
    assert_eq!(list(&mut client, 5, &[], &["consumer"]), [""; 0]);
}
