//! AddOffsetsToTxn v0-4. v2 may answer PRODUCER_FENCED, v4 TRANSACTION_ABORTABLE. Left out:
//! nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse},
    wire::Str,
};

use super::known_to;
use crate::{
    coordinator::{
        group,
        runtime::partition_of,
        txn::{Level, Producer},
    },
    handlers::{Context, internal_topics},
    services::Services,
};

pub async fn add_offsets_to_txn(
    services: &Arc<Services>,
    cx: &Context,
    r: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let code = add(services, &r).await;
    AddOffsetsToTxnResponse {
        error_code: known_to(cx, FENCED_FROM, code),
        ..AddOffsetsToTxnResponse::default()
    }
}

/// Puts the partition that holds the group's offsets into the transaction.
async fn add(services: &Services, r: &AddOffsetsToTxnRequest) -> ErrorCode {
    if r.transactional_id.is_empty() {
        return ErrorCode::InvalidRequest;
    }
    internal_topics::make_sure_of(services, group::TOPIC).await;
    let image = services.metadata.image();
    let Some(topic) = image.topic(group::TOPIC) else { return ErrorCode::CoordinatorNotAvailable };
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let partition = (Str::from_static(group::TOPIC), partition_of(&r.group_id, count));
    let producer =
        Producer { id: ProducerId(r.producer_id), epoch: ProducerEpoch(r.producer_epoch) };
    let id = r.transactional_id.as_str();
    services.transactions.add(id, producer, vec![partition], Level::Original).await
}

const FENCED_FROM: i16 = 2;
