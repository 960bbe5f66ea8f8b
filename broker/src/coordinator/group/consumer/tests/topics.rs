//! Topics that appear, grow and go, and members who subscribe by pattern.

use milena_protocol::messages::ConsumerGroupHeartbeatRequest;

use super::{Owned, Table, alive, given, join};

#[test]
fn topics_that_appear_grow_or_go_are_divided_anew() {
    let mut table = Table::new(&[("t", 2)]);
    let told = table.join("a", &["t", "u"]);
    assert_eq!(given(&told), Some(table.all("t")));
    table.create("u", 1);
    let told = table.heartbeat(alive("a", 2)).unwrap();
    assert_eq!(given(&told), Some(&table.all("t") | &table.all("u")));
    table.grow("t", 5);
    let told = table.heartbeat(alive("a", 3)).unwrap();
    assert_eq!(given(&told), Some(&table.all("t") | &table.all("u")));
    table.delete("t");
    let told = table.heartbeat(alive("a", 4)).unwrap();
    assert_eq!(given(&told), Some(table.all("u")));
    table.create("v", 1);
    assert_eq!(given(&table.heartbeat(super::owning("a", 4, &table.all("u"))).unwrap()), None);
    assert_eq!(table.group().epoch, 5);
    table.compare_with_replay();
}

#[test]
fn a_pattern_stands_for_the_topics_that_it_matches_whenever_they_appear() {
    let mut table = Table::new(&[("orders", 1), ("bills", 1)]);
    let by_pattern = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some("o.*|x".into()),
        ..join("a", &[])
    };
    let told = table.heartbeat(by_pattern.clone()).unwrap();
    assert_eq!(given(&told), Some(table.all("orders")));
    table.create("x", 2);
    let told = table.heartbeat(alive("a", 2)).unwrap();
    assert_eq!(given(&told), Some(&table.all("orders") | &table.all("x")));
    table.compare_with_replay();
    let others = ConsumerGroupHeartbeatRequest {
        member_epoch: 3,
        subscribed_topic_regex: Some("b.*".into()),
        ..by_pattern
    };
    let told = table.heartbeat(others).unwrap();
    let bills: Owned = table.all("bills");
    assert!(given(&told).is_some_and(|owned| owned == bills || owned.is_empty()));
    assert_eq!(table.group().patterns.len(), 1);
    table.compare_with_replay();
    table.heartbeat(alive("a", -1)).unwrap();
    assert!(table.group().patterns.is_empty());
    table.compare_with_replay();
}
