//! AddPartitionsToTxn v0-5. v2 may answer PRODUCER_FENCED, v4 takes many transactions at once and
//! may only verify that the partitions are there (KIP-890). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
        txn::add_partitions_to_txn::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
            AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
        },
    },
};

use super::known_to;
use crate::{
    coordinator::txn::{Level, Producer, TopicPartition},
    handlers::Context,
    services::Services,
};

pub async fn add_partitions_to_txn(
    services: &Arc<Services>,
    cx: &Context,
    r: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if cx.version < MANY_FROM {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: r.v3_and_below_transactional_id,
            producer_id: r.v3_and_below_producer_id,
            producer_epoch: r.v3_and_below_producer_epoch,
            verify_only: false,
            topics: r.v3_and_below_topics,
        };
        return AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: one(services, cx, transaction).await,
            ..AddPartitionsToTxnResponse::default()
        };
    }
    let mut results_by_transaction = Vec::with_capacity(r.transactions.len());
    for transaction in r.transactions {
        let transactional_id = transaction.transactional_id.clone();
        let topic_results = one(services, cx, transaction).await;
        results_by_transaction.push(AddPartitionsToTxnResult { transactional_id, topic_results });
    }
    AddPartitionsToTxnResponse { results_by_transaction, ..AddPartitionsToTxnResponse::default() }
}

async fn one(
    services: &Services,
    cx: &Context,
    r: AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let partitions: Vec<TopicPartition> = r
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|&index| (topic.name.clone(), index)))
        .collect();
    let codes = codes(services, cx, &r, partitions).await;
    results(&r.topics, &codes)
}

/// What becomes of each partition. If one of them does not exist the others are left alone.
async fn codes(
    services: &Services,
    cx: &Context,
    r: &AddPartitionsToTxnTransaction,
    partitions: Vec<TopicPartition>,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    let image = services.metadata.image();
    let exists = |(topic, index): &TopicPartition| {
        let count = image.topic(topic).map_or(0, |topic| topic.partitions.len());
        usize::try_from(*index).is_ok_and(|index| index < count)
    };
    if !partitions.iter().all(exists) {
        let code = |partition| match exists(partition) {
            true => ErrorCode::OperationNotAttempted,
            false => ErrorCode::UnknownTopicOrPartition,
        };
        return partitions.iter().map(code).collect();
    }
    let id = r.transactional_id.as_str();
    if id.is_empty() {
        return vec![ErrorCode::InvalidRequest; count];
    }
    let (producer, epoch) = (ProducerId(r.producer_id), ProducerEpoch(r.producer_epoch));
    if r.verify_only {
        return services.transactions.verify(id, producer, epoch, &partitions).await;
    }
    let client = if cx.version < MANY_FROM { Level::Original } else { Level::Bumping };
    let producer = Producer { id: producer, epoch };
    let code = services.transactions.add(id, producer, partitions, client).await;
    vec![known_to(cx, FENCED_FROM, code); count]
}

/// The codes in the shape of the request.
fn results(
    topics: &[AddPartitionsToTxnTopic],
    codes: &[ErrorCode],
) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut codes = codes.iter();
    let mut result = |&partition_index: &i32| AddPartitionsToTxnPartitionResult {
        partition_index,
        partition_error_code: codes.next().copied().unwrap_or(ErrorCode::UnknownServerError),
    };
    topics
        .iter()
        .map(|topic| AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: topic.partitions.iter().map(&mut result).collect(),
        })
        .collect()
}

const FENCED_FROM: i16 = 2;
const MANY_FROM: i16 = 4;
