//! EndTxn v0-5. v2 may answer PRODUCER_FENCED, v5 gives the producer a new epoch for its next
//! transaction, or a new id once the epochs are used up (KIP-890). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{EndTxnRequest, EndTxnResponse},
};

use super::known_to;
use crate::{
    coordinator::txn::{End, Level, Producer},
    handlers::Context,
    services::Services,
};

pub async fn end_txn(services: &Arc<Services>, cx: &Context, r: EndTxnRequest) -> EndTxnResponse {
    let end = End {
        id: r.transactional_id,
        producer: Producer {
            id: ProducerId(r.producer_id),
            epoch: ProducerEpoch(r.producer_epoch),
        },
        commit: r.committed,
        client: if cx.version < BUMPS_FROM { Level::Original } else { Level::Bumping },
        spare: None,
    };
    let outcome = match end.id.is_empty() {
        true => Err(ErrorCode::InvalidRequest),
        false => services.transactions.end(end).await,
    };
    match outcome {
        Ok(producer) => EndTxnResponse {
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ..EndTxnResponse::default()
        },
        Err(code) => EndTxnResponse {
            error_code: known_to(cx, FENCED_FROM, code),
            ..EndTxnResponse::default()
        },
    }
}

const FENCED_FROM: i16 = 2;
const BUMPS_FROM: i16 = 5;
