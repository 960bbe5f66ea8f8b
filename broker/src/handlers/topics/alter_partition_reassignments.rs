//! AlterPartitionReassignments v0-1. v1 may forbid a change of the replication factor (KIP-860).
//! Left out: moving anything; the only place a replica can be is where it is.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
        topics::alter_partition_reassignments::{
            ReassignablePartitionResponse, ReassignableTopicResponse,
        },
    },
    wire::Str,
};

use crate::{
    controller::Reassignment,
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn alter_partition_reassignments(
    services: &Arc<Services>,
    _cx: &Context,
    r: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let mut responses = Vec::with_capacity(r.topics.len());
    let mut moves = Vec::new();
    for topic in r.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            partitions.push(ReassignablePartitionResponse {
                partition_index: partition.partition_index,
                ..ReassignablePartitionResponse::default()
            });
            moves.push(Reassignment {
                topic: topic.name.clone(),
                partition: partition.partition_index,
                replicas: partition.replicas,
            });
        }
        responses.push(ReassignableTopicResponse { name: topic.name, partitions });
    }
    let outcomes = services.controller.reassign(moves).await;
    let partitions = responses.iter_mut().flat_map(|topic| &mut topic.partitions);
    for (partition, outcome) in partitions.zip(outcomes) {
        partition.error_code = outcome.code();
        partition.error_message = outcome.err().map(|refusal| Str::from(refusal.to_string()));
    }
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: r.allow_replication_factor_change,
        responses,
        ..AlterPartitionReassignmentsResponse::default()
    }
}
