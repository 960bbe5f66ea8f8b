//! DescribeTransactions v0 (KIP-664). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeTransactionsRequest, DescribeTransactionsResponse,
        txn::describe_transactions::{TopicData, TransactionState},
    },
    wire::Str,
};

use crate::{
    coordinator::txn::{Described, TopicPartition},
    handlers::Context,
    services::Services,
};

pub async fn describe_transactions(
    services: &Arc<Services>,
    _cx: &Context,
    r: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut transaction_states = Vec::with_capacity(r.transactional_ids.len());
    for transactional_id in r.transactional_ids {
        let found = match transactional_id.is_empty() {
            true => Err(ErrorCode::InvalidRequest),
            false => services.transactions.describe(&transactional_id).await,
        };
        transaction_states.push(match found {
            Ok(found) => state(transactional_id, found),
            Err(error_code) => {
                TransactionState { error_code, transactional_id, ..TransactionState::default() }
            }
        });
    }
    DescribeTransactionsResponse { transaction_states, ..DescribeTransactionsResponse::default() }
}

fn state(transactional_id: Str, found: Described) -> TransactionState {
    TransactionState {
        error_code: ErrorCode::None,
        transactional_id,
        transaction_state: Str::from_static(found.state.name()),
        transaction_timeout_ms: found.timeout_ms,
        transaction_start_time_ms: found.started.0,
        producer_id: found.producer.id.0,
        producer_epoch: found.producer.epoch.0,
        topics: by_topic(found.partitions),
    }
}

fn by_topic(partitions: Vec<TopicPartition>) -> Vec<TopicData> {
    let mut topics: Vec<TopicData> = Vec::new();
    for (topic, partition) in partitions {
        match topics.last_mut().filter(|last| last.topic == topic) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(TopicData { topic, partitions: vec![partition] }),
        }
    }
    topics
}
