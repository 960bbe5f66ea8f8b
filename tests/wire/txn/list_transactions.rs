//! ListTransactions v0-2.

use milena_protocol::{ErrorCode, messages::ListTransactionsRequest};
use milena_tests::RawClient;

use super::{add, broker, connect, producer};

#[test]
fn transactions_are_listed_as_the_filters_say() {
    let broker = broker();
    let mut client = connect(&broker);
    let [x, _, z] = ["x-1", "x-2", "z-1"].map(|id| producer(&mut client, id));
    assert_eq!(add(&mut client, 3, "z-1", z, 0), ErrorCode::None);
    let all = ListTransactionsRequest::default();
    for version in 0..=2 {
        assert_eq!(listed(&mut client, version, &all), ["x-1 Empty", "x-2 Empty", "z-1 Ongoing"]);
    }
    let states = ListTransactionsRequest {
        state_filters: vec!["Ongoing".into(), "Sleeping".into()],
        ..all.clone()
    };
    assert_eq!(listed(&mut client, 0, &states), ["z-1 Ongoing"]);
    assert_eq!(client.ask(0, &states).unknown_state_filters, ["Sleeping"]);
    let producers = ListTransactionsRequest { producer_id_filters: vec![x.id], ..all.clone() };
    assert_eq!(listed(&mut client, 0, &producers), ["x-1 Empty"]);
    let old = ListTransactionsRequest { duration_filter: 3_600_000, ..all.clone() };
    assert_eq!(listed(&mut client, 1, &old), ["x-1 Empty", "x-2 Empty"]);
    let pattern =
        ListTransactionsRequest { transactional_id_pattern: Some(".-1".into()), ..all.clone() };
    assert_eq!(listed(&mut client, 2, &pattern), ["x-1 Empty", "z-1 Ongoing"]);
    let wrong = ListTransactionsRequest { transactional_id_pattern: Some("(".into()), ..all };
    let told = client.ask(2, &wrong);
    assert_eq!(told.error_code, ErrorCode::InvalidRegularExpression);
}

fn listed(client: &mut RawClient, version: i16, request: &ListTransactionsRequest) -> Vec<String> {
    let told = client.ask(version, request);
    assert_eq!(told.error_code, ErrorCode::None);
    let line = |one: &milena_protocol::messages::txn::list_transactions::TransactionState| {
        format!("{} {}", one.transactional_id, one.transaction_state)
    };
    let mut lines: Vec<_> = told.transaction_states.iter().map(line).collect();
    lines.sort();
    lines
}
