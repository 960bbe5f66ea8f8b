//! DeleteGroups v0-3. v3 has room for a message, which Kafka leaves empty, too. Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, groups::delete_groups::DeletableGroupResult,
    },
    wire::Str,
};

use super::failure;
use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn delete_groups(
    services: &Arc<Services>,
    _cx: &Context,
    r: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let ask = |id: Str| (services.groups.ask(&id, Request::Delete(id.clone())), id);
    let asked: Vec<_> = r.groups_names.into_iter().map(ask).collect();
    let mut results = Vec::with_capacity(asked.len());
    for (asked, group_id) in asked {
        results.push(match asked.await {
            Ok(Reply::Delete(result)) => result,
            other => DeletableGroupResult {
                group_id,
                error_code: failure(&other),
                ..DeletableGroupResult::default()
            },
        });
    }
    DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
}
