//! InitProducerId v0-5, and v6 where `unstable.api.versions.enable` is set.
//!
//! v3 lets a producer resume after an epoch error (KIP-360), v4 may answer PRODUCER_FENCED, v5
//! TRANSACTION_ABORTABLE. v6 is for transactions that another system decides about (KIP-939): they
//! have no time-out, and a producer can come back to one that was left open. Left out: nothing;
//! Kafka 4.4 itself refuses to keep a transaction.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::txn::{InitProducerIdRequest, InitProducerIdResponse},
    wire::Str,
};

use super::known_to;
use crate::{
    coordinator::txn::{Initialize, Initialized, NO_TIMEOUT, Producer},
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
    let outcome = match &request.transactional_id {
        Some(id) => transactional(services, id, &request, known).await,
        // A producer without transactions starts afresh, whatever id it had: Kafka does the same.
        None => match services.controller.next_producer_id().await {
            Ok(id) => Ok(Initialized {
                producer: Producer { id, epoch: ProducerEpoch(0) },
                ongoing: None,
            }),
            // No id was taken: the client may ask again.
            Err(_) => Err(ErrorCode::CoordinatorLoadInProgress),
        },
    };
    match outcome {
        Ok(Initialized { producer, ongoing }) => InitProducerIdResponse {
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ongoing_txn_producer_id: ongoing.map_or(ProducerId::NONE, |one| one.id).0,
            ongoing_txn_producer_epoch: ongoing.map_or(ProducerEpoch::NONE, |one| one.epoch).0,
            ..InitProducerIdResponse::default()
        },
        Err(code) => refused(known_to(cx, FENCED_FROM, code)),
    }
}

async fn transactional(
    services: &Services,
    id: &Str,
    request: &InitProducerIdRequest,
    known: Option<Producer>,
) -> Result<Initialized, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let limits = services.transactions.limits();
    let timeout_ms = match request.enable2_pc {
        true if !limits.two_phase_commit => {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        true => NO_TIMEOUT,
        false if !limits.allows_timeout(request.transaction_timeout_ms) => {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        false => request.transaction_timeout_ms,
    };
    let keep_prepared = request.keep_prepared_txn;
    let r = Initialize { id: id.clone(), timeout_ms, keep_prepared, known, spare: None };
    services.transactions.initialize(r).await
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
