//! The classic protocol: rules by example, many clients by chance, and restarts in between.

mod chance;
mod members;
mod rebalance;
mod static_members;

use milena_protocol::ErrorCode;

use crate::coordinator::group::bench::{Bench, join, sync};

/// Joins as a new member and comes back with its id; the id, and the ticket of the second join.
fn enter(bench: &mut Bench, unique: &str) -> (String, crate::coordinator::runtime::Ticket) {
    let first = bench.ask(join_anew(unique));
    let told = bench.joined(first).expect("told its id at once");
    assert_eq!(told.error_code, ErrorCode::MemberIdRequired);
    let id = told.member_id.to_string();
    let ticket = bench.ask(join(&id));
    (id, ticket)
}

fn join_anew(unique: &str) -> crate::coordinator::group::Request {
    use crate::coordinator::group::{Request, bench};
    Request::Join(bench::join_request("", &[("range", b"r")]), bench::joiner(unique))
}

/// A stable group of generation 1 with members `client-a` (who leads) and `client-b`, assigned `A`
/// and `B`.
fn two_members() -> Bench {
    let mut bench = Bench::new();
    let (a, join_a) = enter(&mut bench, "a");
    let (b, join_b) = enter(&mut bench, "b");
    bench.advance(std::time::Duration::from_secs(6));
    assert!(bench.joined(join_a).is_some() && bench.joined(join_b).is_some());
    let follower = bench.ask(sync(&b, 1, &[]));
    let leader = bench.ask(sync(&a, 1, &[(&a, b"A"), (&b, b"B")]));
    assert_eq!(bench.synced(follower).expect("assigned").assignment, "B");
    assert_eq!(bench.synced(leader).expect("assigned").assignment, "A");
    bench
}
