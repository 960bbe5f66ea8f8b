//! DescribeGroups v0-6. v3 tells what the client may do (KIP-430), v4 names static members
//! (KIP-345), v6 tells a group that is not there from one that is dead (KIP-1043). Left out:
//! nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, groups::describe_groups::DescribedGroup,
    },
    wire::Str,
};

use super::failure;
use crate::{
    coordinator::group::{Described, Reply, Request},
    handlers::{Context, operations},
    services::Services,
};

pub async fn describe_groups(
    services: &Arc<Services>,
    cx: &Context,
    r: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let ask = |id: Str| (services.groups.ask(&id, Request::Describe(id.clone())), id);
    let asked: Vec<_> = r.groups.into_iter().map(ask).collect();
    let mut groups = Vec::with_capacity(asked.len());
    for (asked, group_id) in asked {
        let mut group = match asked.await {
            Ok(Reply::Describe(Described::Group(group))) => group,
            Ok(Reply::Describe(Described::NotThere)) => absent(&group_id, cx.version, "not found"),
            Ok(Reply::Describe(Described::NotClassic)) => {
                absent(&group_id, cx.version, "is not a classic group")
            }
            other => DescribedGroup {
                error_code: failure(&other),
                group_id,
                ..DescribedGroup::default()
            },
        };
        if r.include_authorized_operations && group.error_code.is_ok() {
            group.authorized_operations = operations::GROUP;
        }
        groups.push(group);
    }
    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
}

fn absent(group_id: &Str, version: i16, what: &str) -> DescribedGroup {
    let group_id = group_id.clone();
    let group_state = Str::from_static("Dead");
    if version < NOT_FOUND_FROM {
        return DescribedGroup { group_id, group_state, ..DescribedGroup::default() };
    }
    DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound,
        error_message: Some(Str::from(format!("Group {group_id} {what}."))),
        group_id,
        group_state,
        ..DescribedGroup::default()
    }
}

const NOT_FOUND_FROM: i16 = 6;
