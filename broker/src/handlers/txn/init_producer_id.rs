//! InitProducerId v0-5.
//!
//! v3 lets a producer resume after an epoch error, v4 may answer PRODUCER_FENCED, v5
//! TRANSACTION_ABORTABLE.
//!
//! Left out: transactions. A request with a transactional id is refused with UNSUPPORTED_VERSION,
//! which every client takes as final.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerId,
    messages::txn::{InitProducerIdRequest, InitProducerIdResponse},
};

use crate::{handlers::Context, services::Services};

pub async fn init_producer_id(
    services: &Arc<Services>,
    _cx: &Context,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let (id, epoch) = (request.producer_id, request.producer_epoch);
    match &request.transactional_id {
        // One of them without the other resumes nothing.
        _ if (id == ProducerId::NONE.0) != (epoch == NO_EPOCH) => {
            refused(ErrorCode::InvalidRequest)
        }
        Some(id) if id.is_empty() => refused(ErrorCode::InvalidRequest),
        Some(_) => refused(ErrorCode::UnsupportedVersion),
        // A producer without transactions starts afresh, whatever id it had: Kafka does the same.
        None => match services.controller.next_producer_id().await {
            Ok(id) => {
                InitProducerIdResponse { producer_id: id.0, ..InitProducerIdResponse::default() }
            }
            // No id was taken: the client may ask again.
            Err(_) => refused(ErrorCode::CoordinatorLoadInProgress),
        },
    }
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code,
        producer_id: ProducerId::NONE.0,
        producer_epoch: NO_EPOCH,
        ..InitProducerIdResponse::default()
    }
}

const NO_EPOCH: i16 = -1;
