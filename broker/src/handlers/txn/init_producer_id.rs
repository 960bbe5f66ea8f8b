//! InitProducerId v0-5.
//!
//! v3 lets a producer resume after an epoch error (KIP-360), v4 may answer PRODUCER_FENCED, v5
//! TRANSACTION_ABORTABLE. Left out: v6, which Kafka marks unstable and does not advertise either
//! (KIP-939).

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::txn::{InitProducerIdRequest, InitProducerIdResponse},
    wire::Str,
};

use super::known_to;
use crate::{
    coordinator::txn::{Initialize, Producer},
    handlers::Context,
    services::Services,
};

pub async fn init_producer_id(
    services: &Arc<Services>,
    cx: &Context,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let producer = Producer {
        id: ProducerId(request.producer_id),
        epoch: ProducerEpoch(request.producer_epoch),
    };
    let known = match (producer.id, producer.epoch) {
        (ProducerId::NONE, ProducerEpoch::NONE) => None,
        // One of them without the other resumes nothing.
        (ProducerId::NONE, _) | (_, ProducerEpoch::NONE) => {
            return refused(ErrorCode::InvalidRequest);
        }
        _ => Some(producer),
    };
    let outcome = match request.transactional_id {
        Some(id) => transactional(services, id, request.transaction_timeout_ms, known).await,
        // A producer without transactions starts afresh, whatever id it had: Kafka does the same.
        None => match services.controller.next_producer_id().await {
            Ok(id) => Ok(Producer { id, epoch: ProducerEpoch(0) }),
            // No id was taken: the client may ask again.
            Err(_) => Err(ErrorCode::CoordinatorLoadInProgress),
        },
    };
    match outcome {
        Ok(producer) => InitProducerIdResponse {
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ..InitProducerIdResponse::default()
        },
        Err(code) => refused(known_to(cx, FENCED_FROM, code)),
    }
}

async fn transactional(
    services: &Services,
    id: Str,
    timeout_ms: i32,
    known: Option<Producer>,
) -> Result<Producer, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    if !services.transactions.limits().allows_timeout(timeout_ms) {
        return Err(ErrorCode::InvalidTransactionTimeout);
    }
    services.transactions.initialize(Initialize { id, timeout_ms, known, spare: None }).await
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code,
        producer_id: ProducerId::NONE.0,
        producer_epoch: ProducerEpoch::NONE.0,
        ..InitProducerIdResponse::default()
    }
}

const FENCED_FROM: i16 = 4;
