//! ListGroups v0-5. v4 filters by state (KIP-518), v5 by type (KIP-848). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    messages::{ListGroupsRequest, ListGroupsResponse, groups::list_groups::ListedGroup},
    wire::Str,
};

use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn list_groups(
    services: &Arc<Services>,
    _cx: &Context,
    r: ListGroupsRequest,
) -> ListGroupsResponse {
    let replies = match services.groups.ask_all(&Request::List).await {
        Ok(replies) => replies,
        Err(unavailable) => {
            return ListGroupsResponse { error_code: unavailable.code(), ..Default::default() };
        }
    };
    let listed = replies.into_iter().flat_map(|reply| match reply {
        Reply::List(groups) => groups,
        _ => Vec::new(),
    });
    let wanted = |group: &ListedGroup| {
        passes(&r.states_filter, &group.group_state) && passes(&r.types_filter, &group.group_type)
    };
    ListGroupsResponse { groups: listed.filter(wanted).collect(), ..Default::default() }
}

/// An empty filter lets everything through; case does not matter.
fn passes(filter: &[Str], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
}
