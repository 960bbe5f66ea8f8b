//! FindCoordinator v0-6. v1 asks for transactions, too, v4 for many keys at once (KIP-699), v6 for
//! share partitions (KIP-932). Left out: coordinators of share partitions. There is none yet, and
//! that is what the answer says: "not available", which clients that do without ask again about in
//! the background.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        FindCoordinatorRequest, FindCoordinatorResponse, groups::find_coordinator::Coordinator,
    },
    wire::Str,
};

use crate::{
    coordinator::{group, runtime::partition_of, txn},
    handlers::{
        Context,
        brokers::{self, Seen},
        internal_topics,
    },
    services::Services,
};

pub async fn find_coordinator(
    services: &Arc<Services>,
    cx: &Context,
    r: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let topic = match r.key_type {
        GROUP => Some(group::TOPIC),
        TRANSACTION => Some(txn::TOPIC),
        _ => None,
    };
    if let Some(topic) = topic {
        internal_topics::make_sure_of(services, topic).await;
    }
    let brokers = brokers::seen_by(services, cx, false);
    let find = |key: Str| {
        let found = match r.key_type {
            GROUP | TRANSACTION => {
                let found = topic.and_then(|topic| coordinator(services, &brokers, topic, &key));
                found.ok_or(NO_LEADER)
            }
            SHARE if cx.version >= SHARE_FROM => Err(ABSENT),
            _ => Err((ErrorCode::InvalidRequest, "unknown type of coordinator")),
        };
        answer(key, found)
    };
    if cx.version >= MANY_FROM {
        return FindCoordinatorResponse {
            coordinators: r.coordinator_keys.into_iter().map(find).collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let Coordinator { node_id, host, port, error_code, error_message, .. } = find(r.key);
    FindCoordinatorResponse {
        error_code,
        error_message,
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

/// The leader of the partition of `topic` that holds what is called `id`.
fn coordinator<'a>(
    services: &Services,
    brokers: &'a [Seen],
    topic: &str,
    id: &str,
) -> Option<&'a Seen> {
    let image = services.metadata.image();
    let topic = image.topic(topic)?;
    let count = i32::try_from(topic.partitions.len()).ok()?;
    let index = usize::try_from(partition_of(id, count)).ok()?;
    let leader = topic.partitions.get(index)?.leader;
    brokers.iter().find(|seen| seen.broker.id == leader)
}

fn answer(key: Str, found: Result<&Seen, (ErrorCode, &'static str)>) -> Coordinator {
    match found {
        Ok(seen) => Coordinator {
            key,
            node_id: seen.broker.id,
            host: seen.host.clone(),
            port: seen.port,
            error_message: Some(Str::default()),
            ..Coordinator::default()
        },
        Err((error_code, why)) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code,
            error_message: Some(Str::from_static(why)),
            ..Coordinator::default()
        },
    }
}

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
const SHARE_FROM: i16 = 6;
const MANY_FROM: i16 = 4;
const ABSENT: (ErrorCode, &str) =
    (ErrorCode::CoordinatorNotAvailable, "this broker coordinates nothing of that type yet");
const NO_LEADER: (ErrorCode, &str) =
    (ErrorCode::CoordinatorNotAvailable, "the coordinator is not there at the moment");
