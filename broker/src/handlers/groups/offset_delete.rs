//! OffsetDelete v0 (KIP-496). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        OffsetDeleteRequest, OffsetDeleteResponse,
        groups::offset_delete::{
            OffsetDeleteRequestPartition, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
        },
    },
    wire::Str,
};

use super::failure;
use crate::{
    coordinator::group::{Reply, Request},
    handlers::Context,
    metadata::Image,
    services::Services,
};

pub async fn offset_delete(
    services: &Arc<Services>,
    _cx: &Context,
    mut r: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    if r.group_id.is_empty() {
        let error_code = ErrorCode::InvalidGroupId;
        return OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
    }
    let image = services.metadata.image();
    let mut missing = Vec::new();
    for topic in &mut r.topics {
        let exists =
            |one: &OffsetDeleteRequestPartition| exists(&image, &topic.name, one.partition_index);
        let (known, unknown) = std::mem::take(&mut topic.partitions).into_iter().partition(exists);
        topic.partitions = known;
        missing.push((topic.name.clone(), unknown));
    }
    let mut response =
        match services.groups.ask(&r.group_id.clone(), Request::DeleteOffsets(r)).await {
            Ok(Reply::DeleteOffsets(response)) => response,
            other => OffsetDeleteResponse { error_code: failure(&other), ..Default::default() },
        };
    if response.error_code.is_ok() {
        for (topic, (name, unknown)) in response.topics.iter_mut().zip(missing) {
            debug_assert_eq!(topic.name, name, "answers come in the order of the request");
            topic.partitions.extend(refused(&unknown));
        }
        response.topics.retain(|topic: &OffsetDeleteResponseTopic| !topic.partitions.is_empty());
    }
    response
}

fn exists(image: &Image, topic: &Str, partition: i32) -> bool {
    let count = image.topic(topic).map_or(0, |topic| topic.partitions.len());
    usize::try_from(partition).is_ok_and(|index| index < count)
}

fn refused(
    unknown: &[OffsetDeleteRequestPartition],
) -> impl Iterator<Item = OffsetDeleteResponsePartition> + '_ {
    unknown.iter().map(|partition| OffsetDeleteResponsePartition {
        partition_index: partition.partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition,
    })
}
