//! DeleteTopics v1-6. v3 has a code of its own for deletion that is switched off, v5 messages, v6
//! deletion by id (KIP-516). Left out: the time-out, as for CreateTopics.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        DeleteTopicsRequest, DeleteTopicsResponse,
        topics::delete_topics::{DeletableTopicResult, DeleteTopicState},
    },
    wire::Str,
};

use crate::{
    controller::{Deleted, Refusal},
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn delete_topics(
    services: &Arc<Services>,
    cx: &Context,
    r: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
    let targets = r.topics.into_iter().chain(r.topic_names.into_iter().map(by_name)).collect();
    let deleted = services.controller.delete_topics(targets).await;
    DeleteTopicsResponse {
        responses: deleted.into_iter().map(|one| result(one, cx.version)).collect(),
        ..DeleteTopicsResponse::default()
    }
}

fn result(deleted: Deleted, version: i16) -> DeletableTopicResult {
    let error_code = match &deleted.outcome {
        Err(Refusal::DeletionDisabled) if version < DISABLED_HAS_CODE_FROM => {
            ErrorCode::InvalidRequest
        }
        outcome => outcome.code(),
    };
    DeletableTopicResult {
        name: deleted.name,
        topic_id: deleted.id,
        error_code,
        error_message: deleted.outcome.err().map(|refusal| Str::from(refusal.to_string())),
    }
}

const DISABLED_HAS_CODE_FROM: i16 = 3;
