//! LeaveGroup v0-5. v3 takes out many members at once, static ones by their name (KIP-345), v5 adds
//! a reason, which is not kept (KIP-800). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{LeaveGroupRequest, LeaveGroupResponse, groups::leave_group::MemberIdentity},
};

use super::failure;
use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn leave_group(
    services: &Arc<Services>,
    cx: &Context,
    mut r: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let refused = |error_code| LeaveGroupResponse { error_code, ..Default::default() };
    if r.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    let alone = cx.version < MANY_FROM;
    if alone {
        let member_id = std::mem::take(&mut r.member_id);
        r.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
    }
    match services.groups.ask(&r.group_id.clone(), Request::Leave(r)).await {
        Ok(Reply::Leave(response)) if alone => {
            let outcome = response.members.first().map(|member| member.error_code);
            refused(outcome.unwrap_or(response.error_code))
        }
        Ok(Reply::Leave(response)) => response,
        other => refused(failure(&other)),
    }
}

const MANY_FROM: i16 = 3;
