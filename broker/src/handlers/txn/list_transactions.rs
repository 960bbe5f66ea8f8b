//! ListTransactions v0-2. v1 filters by age (KIP-994), v2 by a pattern of ids (KIP-1152). Left out:
//! nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ListTransactionsRequest, ListTransactionsResponse, txn::list_transactions::TransactionState,
    },
    wire::Str,
};

use crate::{
    coordinator::{
        group::regex::Pattern,
        txn::{Listed, State},
    },
    handlers::Context,
    services::Services,
};

pub async fn list_transactions(
    services: &Arc<Services>,
    cx: &Context,
    r: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let refused =
        |error_code| ListTransactionsResponse { error_code, ..ListTransactionsResponse::default() };
    let pattern = r.transactional_id_pattern.as_ref().filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| Pattern::compile(pattern)).transpose() {
        Ok(pattern) => pattern,
        Err(_) => return refused(ErrorCode::InvalidRegularExpression),
    };
    let listed = match services.transactions.list().await {
        Ok(listed) => listed,
        Err(unavailable) => return refused(unavailable.code()),
    };
    let shown = |one: &Listed| {
        let age_ms = cx.now.0.saturating_sub(one.started.0);
        let any_state = r.state_filters.is_empty();
        let any_producer = r.producer_id_filters.is_empty();
        (any_state || r.state_filters.iter().any(|name| *name == one.state.name()))
            && (any_producer || r.producer_id_filters.contains(&one.producer.0))
            && (r.duration_filter < 0 || age_ms > r.duration_filter)
            && pattern.as_ref().is_none_or(|pattern| pattern.matches(&one.id))
    };
    let state = |one: Listed| TransactionState {
        transactional_id: one.id,
        producer_id: one.producer.0,
        transaction_state: Str::from_static(one.state.name()),
    };
    let is_unknown = |name: &&Str| !State::is_known(name);
    ListTransactionsResponse {
        unknown_state_filters: r.state_filters.iter().filter(is_unknown).cloned().collect(),
        transaction_states: listed.into_iter().filter(shown).map(state).collect(),
        ..ListTransactionsResponse::default()
    }
}
