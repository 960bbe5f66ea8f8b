//! ConsumerGroupDescribe v0-1 (KIP-848). v1 tells which protocol each member speaks. Left out:
//! nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
        groups::consumer_group_describe::DescribedGroup,
    },
    wire::Str,
};

use super::{consumer_groups_enabled, failure};
use crate::{
    coordinator::group::{Refused, Reply, Request},
    handlers::{Context, operations},
    services::Services,
};

pub async fn consumer_group_describe(
    services: &Arc<Services>,
    _cx: &Context,
    r: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let refused = |group_id, error_code, error_message| DescribedGroup {
        group_id,
        error_code,
        error_message,
        ..DescribedGroup::default()
    };
    if !consumer_groups_enabled(services) {
        let ids = r.group_ids.into_iter();
        let groups = ids.map(|id| refused(id, ErrorCode::UnsupportedVersion, None)).collect();
        return ConsumerGroupDescribeResponse { groups, ..Default::default() };
    }
    let ask = |id: Str| (services.groups.ask(&id, Request::DescribeConsumer(id.clone())), id);
    let asked: Vec<_> = r.group_ids.into_iter().map(ask).collect();
    let mut groups = Vec::with_capacity(asked.len());
    for (asked, group_id) in asked {
        let mut group = match asked.await {
            _ if group_id.is_empty() => refused(group_id, ErrorCode::InvalidGroupId, None),
            Ok(Reply::DescribeConsumer(Ok(group))) => group,
            Ok(Reply::DescribeConsumer(Err(Refused { code, message }))) => {
                refused(group_id, code, Some(Str::from(message)))
            }
            other => refused(group_id, failure(&other), None),
        };
        if r.include_authorized_operations && group.error_code.is_ok() {
            group.authorized_operations = operations::GROUP;
        }
        groups.push(group);
    }
    ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
}
