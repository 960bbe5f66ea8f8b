//! OffsetCommit v2-10. v2-4 say how long to keep the offset, v6 adds leader epochs (KIP-320), v7
//! static members (KIP-345), v9 tells a group that is not there and knows the epochs of members
//! (KIP-848), v10 names topics by id (KIP-848). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        groups::offset_commit::{
            OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        },
    },
};

use super::failure;
use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    metadata::Image,
    services::Services,
};

pub async fn offset_commit(
    services: &Arc<Services>,
    cx: &Context,
    mut r: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let image = services.metadata.image();
    let mut answers = Vec::with_capacity(r.topics.len());
    for topic in &mut r.topics {
        let (answer, known) = sort(&image, topic, cx.version >= BY_ID_FROM);
        topic.partitions = known;
        answers.push(answer);
    }
    if r.topics.iter().all(|topic| topic.partitions.is_empty()) {
        return OffsetCommitResponse { topics: answers, ..OffsetCommitResponse::default() };
    }
    let group = r.group_id.clone();
    let request = Request::Commit { request: r, speaks_epochs: cx.version >= EPOCHS_FROM };
    let outcome = services.groups.ask(&group, request).await;
    let code = failure(&outcome);
    let mut committed = match outcome {
        Ok(Reply::Commit(response)) => response.topics,
        _ => Vec::new(),
    }
    .into_iter();
    for answer in &mut answers {
        let mut outcomes = committed.next().map(|topic| topic.partitions).into_iter().flatten();
        // What is not decided yet was asked for in this order.
        for partition in &mut answer.partitions {
            if partition.error_code.is_ok() {
                partition.error_code = outcomes.next().map_or(code, |outcome| outcome.error_code);
            }
        }
    }
    OffsetCommitResponse { topics: answers, ..OffsetCommitResponse::default() }
}

/// The answer for one topic as far as the metadata decides it, and the partitions that exist. The
/// topic gets both its name and its id.
fn sort(
    image: &Image,
    topic: &mut OffsetCommitRequestTopic,
    by_id: bool,
) -> (OffsetCommitResponseTopic, Vec<OffsetCommitRequestPartition>) {
    let (found, missing) = match by_id {
        true => (image.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId),
        false => (image.topic(&topic.name), ErrorCode::UnknownTopicOrPartition),
    };
    let count = found.map_or(0, |found| found.partitions.len());
    let exists = |partition: &OffsetCommitRequestPartition| {
        usize::try_from(partition.partition_index).is_ok_and(|index| index < count)
    };
    let answer = |partition: &OffsetCommitRequestPartition| OffsetCommitResponsePartition {
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
    (OffsetCommitResponseTopic { name, topic_id, partitions: answers }, known)
}

const BY_ID_FROM: i16 = 10;
const EPOCHS_FROM: i16 = 9;
