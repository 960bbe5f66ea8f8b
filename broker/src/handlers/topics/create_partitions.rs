//! CreatePartitions v0-3. The versions differ in nothing that a single node does. Left out: the
//! time-out, as for CreateTopics.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        CreatePartitionsRequest, CreatePartitionsResponse,
        topics::create_partitions::CreatePartitionsTopicResult,
    },
    wire::Str,
};

use crate::{
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn create_partitions(
    services: &Arc<Services>,
    _cx: &Context,
    r: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let names: Vec<Str> = r.topics.iter().map(|topic| topic.name.clone()).collect();
    let outcomes = services.controller.create_partitions(r.topics, r.validate_only).await;
    let results =
        names.into_iter().zip(outcomes).map(|(name, outcome)| CreatePartitionsTopicResult {
            name,
            error_code: outcome.code(),
            error_message: outcome.err().map(|refusal| Str::from(refusal.to_string())),
        });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
