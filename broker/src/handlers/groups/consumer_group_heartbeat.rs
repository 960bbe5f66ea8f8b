//! ConsumerGroupHeartbeat v0-1 (KIP-848). v1 has the member make its own id (KIP-1082) and
//! subscribes by regular expressions. Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::Str,
};

use super::{consumer_groups_enabled, failure};
use crate::{
    coordinator::group::{Client, Refused, Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn consumer_group_heartbeat(
    services: &Arc<Services>,
    cx: &Context,
    mut r: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !consumer_groups_enabled(services) {
        return refused(ErrorCode::UnsupportedVersion, None);
    }
    if cx.version < MAKES_ITS_ID_FROM && r.member_id.is_empty() && r.member_epoch == 0 {
        r.member_id = Str::from(services.rng.uuid().to_string());
    }
    let client = Client {
        id: cx.client_id.clone().unwrap_or_default(),
        host: Str::from(format!("/{}", cx.peer.host())),
    };
    let group_id = r.group_id.clone();
    let request = Request::ConsumerHeartbeat(r, client);
    match services.groups.ask(&group_id, request).await {
        Ok(Reply::ConsumerHeartbeat(Ok(response))) => response,
        Ok(Reply::ConsumerHeartbeat(Err(Refused { code, message }))) => {
            refused(code, Some(Str::from(message)))
        }
        other => refused(failure(&other), None),
    }
}

fn refused(error_code: ErrorCode, error_message: Option<Str>) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code,
        error_message,
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

const MAKES_ITS_ID_FROM: i16 = 1;
