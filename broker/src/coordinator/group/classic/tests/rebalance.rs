//! From one generation to the next.

use std::time::Duration;

use milena_protocol::ErrorCode;

use super::{enter, two_members};
use crate::coordinator::group::{
    bench::{Bench, commit, join, join_with, leave, sync},
    classic::State,
};

#[test]
fn each_newcomer_prolongs_the_first_rebalance_up_to_its_time_out() {
    let mut bench = Bench::new();
    let (_, first) = enter(&mut bench, "0");
    for newcomer in 1..=30 {
        bench.advance(Duration::from_millis(2_500));
        if bench.joined(first).is_some() {
            // 60 s, of which each round uses 3 s.
            assert_eq!(newcomer, 24);
            return;
        }
        enter(&mut bench, &newcomer.to_string());
    }
    panic!("the group never got to work");
}

#[test]
fn members_vote_for_what_all_of_them_know() {
    let mut bench = Bench::new();
    let mut tickets = Vec::new();
    for (unique, protocols) in [
        ("a", &[("sticky", b"1" as &[u8]), ("range", b"2")]),
        ("b", &[("range", b"3"), ("sticky", b"4")]),
        ("c", &[("range", b"5"), ("sticky", b"6")]),
    ] {
        let (id, _) = enter(&mut bench, unique);
        tickets.push(bench.ask(join_with(&id, protocols)));
    }
    bench.advance(Duration::from_secs(60));
    let chosen = tickets.into_iter().map(|ticket| bench.joined(ticket).unwrap().protocol_name);
    assert!(chosen.into_iter().all(|name| name == Some("range".into())));
}

#[test]
fn followers_get_their_assignment_from_the_leader() {
    let mut bench = Bench::new();
    let (a, join_a) = enter(&mut bench, "a");
    let (b, join_b) = enter(&mut bench, "b");
    bench.advance(Duration::from_secs(6));
    assert_eq!(bench.joined(join_a).unwrap().members.len(), 2);
    assert_eq!(bench.joined(join_b).unwrap().members.len(), 0);
    assert_eq!(bench.classic().state, State::CompletingRebalance);
    let waiting = bench.ask(sync(&b, 1, &[]));
    assert_eq!(bench.synced(waiting), None);
    let leader = bench.ask(sync(&a, 1, &[(&b, b"all")]));
    assert_eq!(bench.synced(leader).unwrap().assignment, "");
    assert_eq!(bench.synced(waiting).unwrap().assignment, "all");
    assert_eq!(bench.classic().state, State::Stable);
    // Who asks again is told again.
    let again = bench.ask(sync(&b, 1, &[]));
    assert_eq!(bench.synced(again).unwrap().assignment, "all");
}

#[test]
fn a_join_while_assignments_are_made_sends_everyone_back() {
    let mut bench = Bench::new();
    let (a, join_a) = enter(&mut bench, "a");
    let (b, _) = enter(&mut bench, "b");
    bench.advance(Duration::from_secs(6));
    assert!(bench.joined(join_a).is_some());
    let waiting = bench.ask(sync(&b, 1, &[]));
    let (_, newcomer) = enter(&mut bench, "c");
    assert_eq!(bench.synced(waiting).unwrap().error_code, ErrorCode::RebalanceInProgress);
    let early = bench.ask(commit(&a, 1, 3));
    assert!(bench.reply(early).is_some());
    let rejoined = [bench.ask(join(&a)), bench.ask(join(&b))];
    for ticket in rejoined.into_iter().chain([newcomer]) {
        assert_eq!(bench.joined(ticket).unwrap().generation_id, 2);
    }
}

#[test]
fn commits_wait_until_assignments_are_made() {
    let mut bench = Bench::new();
    let (a, _) = enter(&mut bench, "a");
    bench.advance(Duration::from_secs(3));
    let ticket = bench.ask(commit(&a, 1, 3));
    let Some(crate::coordinator::group::Reply::Commit(response)) = bench.reply(ticket) else {
        panic!("a commit is answered");
    };
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::RebalanceInProgress);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut bench = two_members();
    let again = bench.ask(join("client-a"));
    for _ in 0..11 {
        bench.advance(Duration::from_secs(5));
        assert_eq!(bench.heartbeat("client-b", 1), ErrorCode::RebalanceInProgress);
    }
    assert_eq!(bench.joined(again), None);
    bench.advance(Duration::from_secs(5));
    let joined = bench.joined(again).unwrap();
    assert_eq!((joined.generation_id, joined.members.len()), (2, 1));
    assert_eq!(bench.heartbeat("client-b", 2), ErrorCode::UnknownMemberId);
}

#[test]
fn a_leader_that_does_not_join_again_is_replaced() {
    let mut bench = two_members();
    let again = bench.ask(join_with("client-b", &[("range", b"changed")]));
    bench.advance(Duration::from_secs(10));
    let joined = bench.joined(again).unwrap();
    assert_eq!((joined.leader.as_str(), joined.members.len()), ("client-b", 1));
}

#[test]
fn who_does_not_ask_for_its_assignment_is_out() {
    let mut bench = Bench::new();
    let (a, _) = enter(&mut bench, "a");
    let (b, _) = enter(&mut bench, "b");
    bench.advance(Duration::from_secs(6));
    let leader = bench.ask(sync(&a, 1, &[(&a, b"A")]));
    assert!(bench.synced(leader).is_some());
    for _ in 0..11 {
        bench.advance(Duration::from_secs(5));
        assert_eq!(bench.heartbeat(&a, 1), ErrorCode::None);
        assert_eq!(bench.heartbeat(&b, 1), ErrorCode::None);
    }
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.heartbeat(&a, 1), ErrorCode::RebalanceInProgress);
    assert_eq!(bench.heartbeat(&b, 1), ErrorCode::UnknownMemberId);
}

#[test]
fn an_unchanged_follower_that_joins_again_disturbs_nobody() {
    let mut bench = two_members();
    let again = bench.ask(join("client-b"));
    let joined = bench.joined(again).unwrap();
    assert_eq!((joined.generation_id, joined.members.len()), (1, 0));
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::None);
}

#[test]
fn a_repeated_join_is_answered_instead_of_the_first() {
    let mut bench = two_members();
    let first = bench.ask(join("client-a"));
    let second = bench.ask(join("client-a"));
    assert_eq!(bench.joined(first).unwrap().error_code, ErrorCode::RebalanceInProgress);
    let other = bench.ask(join("client-b"));
    assert_eq!(bench.joined(second).unwrap().generation_id, 2);
    assert_eq!(bench.joined(other).unwrap().generation_id, 2);
    assert!(bench.open().is_empty());
}

#[test]
fn heartbeats_and_unchanged_joins_write_nothing() {
    let mut bench = two_members();
    let before = bench.records().len();
    bench.heartbeat("client-a", 1);
    bench.ask(join("client-b"));
    bench.ask(sync("client-b", 1, &[]));
    assert_eq!(bench.records().len(), before);
}

#[test]
fn a_restarted_group_goes_on_in_its_generation() {
    let before = two_members();
    let mut bench = before.restarted();
    assert_eq!(bench.classic().record(), before.classic().record());
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::None);
    let synced = bench.ask(sync("client-b", 1, &[]));
    assert_eq!(bench.synced(synced).unwrap().assignment, "B");
    bench.advance(Duration::from_secs(10));
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::UnknownMemberId);
}

#[test]
fn a_restart_in_the_middle_of_a_rebalance_goes_back_to_the_last_generation() {
    let mut before = two_members();
    before.ask(leave("client-b"));
    let mut bench = before.restarted();
    assert_eq!(bench.heartbeat("client-a", 1), ErrorCode::None);
    bench.ask(join("client-a"));
    bench.advance(Duration::from_secs(10));
    assert_eq!(bench.heartbeat("client-a", 2), ErrorCode::None);
}
