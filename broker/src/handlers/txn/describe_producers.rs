//! DescribeProducers v0.
//!
//! Left out: nothing.

use std::sync::Arc;

use milena_protocol::messages::txn::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use milena_storage::producers::SnapshotEntry;

use crate::{
    handlers::{Context, error::Coded},
    replica::Missing,
    services::Services,
};

pub async fn describe_producers(
    services: &Arc<Services>,
    _cx: &Context,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = services.replicas.topic_named(&topic.name).ok_or(Missing::Topic);
        let partitions = topic.partition_indexes.into_iter().map(|index| {
            let partition = found.as_ref().map_err(|&missing| missing);
            let producers = partition.and_then(|topic| topic.partition(index));
            let producers = producers.map(|partition| partition.log().producers());
            answer(index, producers)
        });
        TopicResponse { partitions: partitions.collect(), name: topic.name }
    });
    DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }
}

fn answer(index: i32, producers: Result<Vec<SnapshotEntry>, Missing>) -> PartitionResponse {
    let error_code = producers.code();
    PartitionResponse {
        partition_index: index,
        error_code,
        active_producers: producers.unwrap_or_default().iter().map(state).collect(),
        ..PartitionResponse::default()
    }
}

fn state(producer: &SnapshotEntry) -> ProducerState {
    ProducerState {
        producer_id: producer.producer.0,
        producer_epoch: producer.epoch.0.into(),
        last_sequence: producer.last_batch.map_or(NONE, |batch| batch.last_sequence),
        last_timestamp: producer.timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.open_since.map_or(NONE.into(), |offset| offset.0),
    }
}

const NONE: i32 = -1;
