//! OffsetFetch v1-10. v2 can ask for all topics, v5 adds leader epochs (KIP-320), v7 waits for
//! open transactions (KIP-447), v8 asks for many groups (KIP-709), v9 names the member (KIP-848),
//! v10 names topics by id. Left out: what only groups of the consumer protocol check.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        OffsetFetchRequest, OffsetFetchResponse,
        groups::offset_fetch::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
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

pub async fn offset_fetch(
    services: &Arc<Services>,
    cx: &Context,
    r: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if cx.version < MANY_FROM {
        return one(services, cx, r).await;
    }
    let by_id = cx.version >= BY_ID_FROM;
    let image = services.metadata.image();
    let mut asked = Vec::with_capacity(r.groups.len());
    for mut group in r.groups {
        let unknown = if by_id { take_unknown(&image, &mut group) } else { Vec::new() };
        for topic in group.topics.iter_mut().flatten().filter(|_| !by_id) {
            topic.topic_id = id_of(&image, &topic.name);
        }
        let group_id = group.group_id.clone();
        asked.push((
            services
                .groups
                .ask(&group_id, Request::Fetch { request: group, stable: r.require_stable }),
            group_id,
            unknown,
        ));
    }
    let mut groups = Vec::with_capacity(asked.len());
    for (asked, group_id, unknown) in asked {
        let mut group = match asked.await {
            Ok(Reply::Fetch(group)) => group,
            other => OffsetFetchResponseGroup {
                group_id,
                error_code: failure(&other),
                ..OffsetFetchResponseGroup::default()
            },
        };
        if by_id {
            // A topic that is not there any more has no id to be named by.
            group.topics.retain_mut(|topic| identify(&image, topic));
            group.topics.extend(unknown);
        }
        groups.push(group);
    }
    OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
}

/// The form that knows but one group.
async fn one(services: &Arc<Services>, cx: &Context, r: OffsetFetchRequest) -> OffsetFetchResponse {
    let image = services.metadata.image();
    let by_name = |topic: &OffsetFetchRequestTopic| OffsetFetchRequestTopics {
        name: topic.name.clone(),
        topic_id: id_of(&image, &topic.name),
        partition_indexes: topic.partition_indexes.clone(),
    };
    let topics = r.topics.as_ref().map(|topics| topics.iter().map(by_name).collect());
    let group_id = r.group_id.clone();
    let request =
        OffsetFetchRequestGroup { group_id, topics, ..OffsetFetchRequestGroup::default() };
    match services
        .groups
        .ask(&r.group_id, Request::Fetch { request, stable: r.require_stable })
        .await
    {
        Ok(Reply::Fetch(group)) => OffsetFetchResponse {
            topics: group.topics.into_iter().map(older).collect(),
            error_code: group.error_code,
            ..OffsetFetchResponse::default()
        },
        other => {
            let error_code = failure(&other);
            let per_partition = r.topics.filter(|_| cx.version < TOP_LEVEL_ERROR_FROM);
            let failed = |topic| failed(topic, error_code);
            OffsetFetchResponse {
                topics: per_partition.into_iter().flatten().map(failed).collect(),
                error_code,
                ..OffsetFetchResponse::default()
            }
        }
    }
}

fn older(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|found| OffsetFetchResponsePartition {
        partition_index: found.partition_index,
        committed_offset: found.committed_offset,
        committed_leader_epoch: found.committed_leader_epoch,
        metadata: found.metadata,
        error_code: found.error_code,
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}

fn failed(topic: OffsetFetchRequestTopic, error_code: ErrorCode) -> OffsetFetchResponseTopic {
    let indexes = topic.partition_indexes.into_iter();
    let partitions = indexes.map(|partition_index| OffsetFetchResponsePartition {
        partition_index,
        committed_offset: NO_OFFSET,
        metadata: Some("".into()),
        error_code,
        ..OffsetFetchResponsePartition::default()
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}

/// Gives topics the names of their ids, and takes out those that have none, with what to answer.
fn take_unknown(
    image: &Image,
    group: &mut OffsetFetchRequestGroup,
) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    for topic in group.topics.iter_mut().flatten() {
        if let Some(found) = image.topic_by_id(topic.topic_id) {
            topic.name = found.name.clone();
            continue;
        }
        let partition = |&partition_index: &i32| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: NO_OFFSET,
            metadata: Some("".into()),
            error_code: ErrorCode::UnknownTopicId,
            ..OffsetFetchResponsePartitions::default()
        };
        unknown.push(OffsetFetchResponseTopics {
            topic_id: topic.topic_id,
            partitions: topic.partition_indexes.iter().map(partition).collect(),
            ..OffsetFetchResponseTopics::default()
        });
    }
    if let Some(topics) = &mut group.topics {
        topics.retain(|topic| image.topic_by_id(topic.topic_id).is_some());
    }
    unknown
}

fn id_of(image: &Image, name: &str) -> Uuid {
    image.topic(name).map_or(Uuid::ZERO, |topic| topic.id)
}

fn identify(image: &Image, topic: &mut OffsetFetchResponseTopics) -> bool {
    let Some(found) = image.topic(&topic.name) else { return false };
    topic.topic_id = found.id;
    true
}

const MANY_FROM: i16 = 8;
const BY_ID_FROM: i16 = 10;
const TOP_LEVEL_ERROR_FROM: i16 = 2;
const NO_OFFSET: i64 = -1;
