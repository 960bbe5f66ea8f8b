//! FindCoordinator v0-6. v1 asks for transactions, too, v4 for many keys at once (KIP-699), v6 for
//! share partitions (KIP-932). Left out: coordinators. There is none of any kind yet, and that is
//! what the answer says: "not available", which clients that only read and write by assignment
//! ask again about in the background and do without.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        FindCoordinatorRequest, FindCoordinatorResponse, groups::find_coordinator::Coordinator,
    },
    wire::Str,
};

use crate::{handlers::Context, services::Services};

pub async fn find_coordinator(
    _services: &Arc<Services>,
    cx: &Context,
    r: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let (error_code, why) = match r.key_type {
        GROUP | TRANSACTION => ABSENT,
        SHARE if cx.version >= SHARE_FROM => ABSENT,
        _ => (ErrorCode::InvalidRequest, "unknown type of coordinator"),
    };
    if cx.version < MANY_FROM {
        return FindCoordinatorResponse {
            error_code,
            error_message: Some(Str::from_static(why)),
            node_id: -1,
            port: -1,
            ..FindCoordinatorResponse::default()
        };
    }
    let coordinators = r.coordinator_keys.into_iter().map(|key| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code,
        error_message: Some(Str::from_static(why)),
        ..Coordinator::default()
    });
    FindCoordinatorResponse {
        coordinators: coordinators.collect(),
        ..FindCoordinatorResponse::default()
    }
}

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
const SHARE_FROM: i16 = 6;
const MANY_FROM: i16 = 4;
const ABSENT: (ErrorCode, &str) =
    (ErrorCode::CoordinatorNotAvailable, "this broker coordinates nothing yet");
