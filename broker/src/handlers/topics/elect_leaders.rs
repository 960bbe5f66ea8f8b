//! ElectLeaders v0-2. v1 brings the type of election (KIP-460). Left out: the time-out, as for
//! CreateTopics.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ElectLeadersRequest, ElectLeadersResponse,
        topics::elect_leaders::{PartitionResult, ReplicaElectionResult},
    },
    wire::Str,
};

use crate::{
    controller::{Election, Refusal},
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn elect_leaders(
    services: &Arc<Services>,
    _cx: &Context,
    r: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let Some(election) = Election::from_number(r.election_type) else {
        return ElectLeadersResponse {
            error_code: ErrorCode::InvalidRequest,
            ..ElectLeadersResponse::default()
        };
    };
    let all = r.topic_partitions.is_none();
    let partitions: Vec<(Str, i32)> = match r.topic_partitions {
        Some(topics) => topics
            .into_iter()
            .flat_map(|topic| {
                topic.partitions.into_iter().map(move |index| (topic.topic.clone(), index))
            })
            .collect(),
        None => every_partition(services),
    };
    let outcomes = services.controller.elect_leaders(election, partitions.clone()).await;
    let mut results: Vec<ReplicaElectionResult> = Vec::new();
    for ((topic, index), outcome) in partitions.into_iter().zip(outcomes) {
        // Asked for all of them, Kafka tells only of those that needed something.
        if all && matches!(outcome, Err(Refusal::ElectionNotNeeded)) {
            continue;
        }
        let result = PartitionResult {
            partition_id: index,
            error_code: outcome.code(),
            error_message: outcome.err().map(|refusal| Str::from(refusal.to_string())),
        };
        match results.last_mut() {
            Some(last) if last.topic == topic => last.partition_result.push(result),
            _ => results.push(ReplicaElectionResult { topic, partition_result: vec![result] }),
        }
    }
    ElectLeadersResponse { replica_election_results: results, ..ElectLeadersResponse::default() }
}

fn every_partition(services: &Services) -> Vec<(Str, i32)> {
    let image = services.metadata.image();
    let partitions = image.topics().flat_map(|topic| {
        (0..).zip(&topic.partitions).map(|(index, _)| (topic.name.clone(), index))
    });
    partitions.collect()
}
