//! Heartbeat v0-4. v3 adds static members (KIP-345). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{HeartbeatRequest, HeartbeatResponse},
};

use super::failure;
use crate::{
    coordinator::{
        group::{Reply, Request},
        runtime::Unavailable,
    },
    handlers::Context,
    services::Services,
};

pub async fn heartbeat(
    services: &Arc<Services>,
    _cx: &Context,
    r: HeartbeatRequest,
) -> HeartbeatResponse {
    let refused = |error_code| HeartbeatResponse { error_code, ..Default::default() };
    if r.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    match services.groups.ask(&r.group_id.clone(), Request::Heartbeat(r)).await {
        Ok(Reply::Heartbeat(response)) => response,
        // Sessions begin anew once all is loaded: until then every member is taken to be alive.
        Err(Unavailable::Loading) => HeartbeatResponse::default(),
        other => refused(failure(&other)),
    }
}
