//! SyncGroup v0-5. v3 adds static members (KIP-345), v5 compares protocols (KIP-559). Left out:
//! nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{SyncGroupRequest, SyncGroupResponse},
};

use super::failure;
use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn sync_group(
    services: &Arc<Services>,
    cx: &Context,
    r: SyncGroupRequest,
) -> SyncGroupResponse {
    let refused = |error_code| SyncGroupResponse { error_code, ..Default::default() };
    if cx.version >= PROTOCOLS_FROM && (r.protocol_type.is_none() || r.protocol_name.is_none()) {
        return refused(ErrorCode::InconsistentGroupProtocol);
    }
    if r.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    let group_id = r.group_id.clone();
    let asked = services.groups.ask(&group_id, Request::Sync(r));
    // What waits for the leader is not to hold the frame of its request.
    drop(group_id);
    match asked.await {
        Ok(Reply::Sync(response)) => response,
        other => refused(failure(&other)),
    }
}

const PROTOCOLS_FROM: i16 = 5;
