//! TxnOffsetCommit v0-6. v2 adds leader epochs (KIP-320) and tells clients to wait for a group that
//! loads, v3 names the member (KIP-447), v4 may answer TRANSACTION_ABORTABLE (KIP-890), v5 adds the
//! group to the transaction by itself (KIP-890), v6 names topics by id and tells a group that is
//! not there and an epoch that is not the member's (KIP-1319). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{
        TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        txn::txn_offset_commit::{
            TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
            TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        },
    },
    wire::Str,
};

use crate::{
    coordinator::group::{self, InTransaction, Reply},
    handlers::Context,
    metadata::Image,
    services::Services,
};

pub async fn txn_offset_commit(
    services: &Arc<Services>,
    cx: &Context,
    mut r: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let image = services.metadata.image();
    let mut answers = Vec::with_capacity(r.topics.len());
    for topic in &mut r.topics {
        let (answer, known) = sort(&image, topic, cx.version >= BY_ID_FROM);
        topic.partitions = known;
        answers.push(answer);
    }
    if r.topics.iter().any(|topic| !topic.partitions.is_empty()) {
        let (code, decided) = match commit(services, cx, r).await {
            Ok(response) => (ErrorCode::UnknownServerError, response.topics),
            Err(code) => (known_to(cx, code), Vec::new()),
        };
        let mut decided = decided.into_iter();
        for answer in &mut answers {
            let mut outcomes = decided.next().map(|topic| topic.partitions).into_iter().flatten();
            // What is not decided yet was asked for in this order.
            for partition in answer.partitions.iter_mut().filter(|one| one.error_code.is_ok()) {
                partition.error_code = outcomes.next().map_or(code, |outcome| outcome.error_code);
            }
        }
    }
    TxnOffsetCommitResponse { topics: answers, ..TxnOffsetCommitResponse::default() }
}

/// Commits offsets of topics that exist, if the transaction is open that they are said to be of.
async fn commit(
    services: &Services,
    cx: &Context,
    r: TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, ErrorCode> {
    if r.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let by_id = cx.version >= BY_ID_FROM;
    let request = InTransaction {
        absent_group: if by_id { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration },
        stale_epoch: if by_id { ErrorCode::StaleMemberEpoch } else { ErrorCode::IllegalGeneration },
        request: r,
    };
    for _ in 0..VERIFICATIONS_MAX {
        let seen = services.groups.ends(ProducerId(request.request.producer_id));
        verify(services, cx, &request.request).await?;
        let Some(asked) = services.groups.commit_in_transaction(&request, seen) else { continue };
        return match asked.await {
            Ok(Reply::CommitInTransaction(response)) => Ok(response),
            Ok(_) => Err(ErrorCode::UnknownServerError),
            Err(unavailable) => Err(unavailable.code()),
        };
    }
    Err(ErrorCode::CoordinatorLoadInProgress)
}

/// Sees to it that the partition that holds the group's offsets is in the transaction: from there
/// it gets the marker that ends it.
async fn verify(
    services: &Services,
    cx: &Context,
    r: &TxnOffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let Some(partition) = services.groups.partition_of(&r.group_id) else {
        return Err(ErrorCode::NotCoordinator);
    };
    let partitions = [(Str::from_static(group::TOPIC), partition)];
    let (producer, epoch) = (ProducerId(r.producer_id), ProducerEpoch(r.producer_epoch));
    let codes = if cx.version >= ADDS_ITSELF_FROM {
        let id = &r.transactional_id;
        services.transactions.add_partitions(id, producer, epoch, &partitions).await
    } else if services.config.load().transaction_verification {
        services.transactions.verify(&r.transactional_id, producer, epoch, &partitions).await
    } else {
        Vec::new()
    };
    match codes.first() {
        None | Some(ErrorCode::None) => Ok(()),
        Some(ErrorCode::ProducerFenced) => Err(ErrorCode::InvalidProducerEpoch),
        Some(&code) => Err(code),
    }
}

/// The answer for one topic as far as the metadata decides it, and the partitions that exist. The
/// topic gets both its name and its id.
fn sort(
    image: &Image,
    topic: &mut TxnOffsetCommitRequestTopic,
    by_id: bool,
) -> (TxnOffsetCommitResponseTopic, Vec<TxnOffsetCommitRequestPartition>) {
    let (found, missing) = match by_id {
        true => (image.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId),
        false => (image.topic(&topic.name), ErrorCode::UnknownTopicOrPartition),
    };
    let count = found.map_or(0, |found| found.partitions.len());
    let exists = |partition: &TxnOffsetCommitRequestPartition| {
        usize::try_from(partition.partition_index).is_ok_and(|index| index < count)
    };
    let answer = |partition: &TxnOffsetCommitRequestPartition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: match found {
            None => missing,
            Some(_) if !exists(partition) => ErrorCode::UnknownTopicOrPartition,
            Some(_) => ErrorCode::None,
        },
    };
    let answers = topic.partitions.iter().map(answer).collect();
    let mut known = std::mem::take(&mut topic.partitions);
    known.retain(exists);
    if let Some(found) = found {
        topic.name = found.name.clone();
        topic.topic_id = found.id;
    }
    let (name, topic_id) = (topic.name.clone(), topic.topic_id);
    (TxnOffsetCommitResponseTopic { name, topic_id, partitions: answers }, known)
}

/// The code in terms that clients of this version understand.
fn known_to(cx: &Context, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::TransactionAbortable if cx.version < ABORTABLE_FROM => {
            ErrorCode::InvalidTxnState
        }
        // The oldest ones may die of it.
        ErrorCode::CoordinatorLoadInProgress if cx.version < LOADING_FROM => {
            ErrorCode::CoordinatorNotAvailable
        }
        code => code,
    }
}

const LOADING_FROM: i16 = 2;
const ABORTABLE_FROM: i16 = 4;
const ADDS_ITSELF_FROM: i16 = 5;
const BY_ID_FROM: i16 = 6;
/// How often a transaction is looked at that may have ended meanwhile.
const VERIFICATIONS_MAX: usize = 5;
