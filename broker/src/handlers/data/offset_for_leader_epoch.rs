//! OffsetForLeaderEpoch v2-4.
//!
//! v2 fences by the current leader epoch, v3 adds the replica id. Left out: nothing; the replica
//! id changes nothing while there are no followers.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, LeaderEpoch,
    messages::data::offset_for_leader_epoch::{
        EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        OffsetForLeaderPartition, OffsetForLeaderTopicResult,
    },
};

use crate::{
    handlers::{Context, error::Coded},
    replica::{Missing, Partition},
    services::Services,
};

pub async fn offset_for_leader_epoch(
    services: &Arc<Services>,
    _cx: &Context,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = services.replicas.topic_named(&topic.topic).ok_or(Missing::Topic);
        let partitions = topic.partitions.iter().map(|asked| {
            match found.as_ref().map_err(|&it| it).and_then(|it| it.partition(asked.partition)) {
                Ok(partition) => end_of_epoch(&partition, asked),
                Err(missing) => refused(asked.partition, missing.code()),
            }
        });
        OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic }
    });
    OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..OffsetForLeaderEpochResponse::default()
    }
}

fn end_of_epoch(partition: &Partition, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    if let Err(error) = partition.check_epoch(asked.current_leader_epoch) {
        return refused(asked.partition, error.code());
    }
    match partition.log().end_offset_for_epoch(LeaderEpoch(asked.leader_epoch)) {
        Some(found) => EpochEndOffset {
            partition: asked.partition,
            leader_epoch: found.epoch.0,
            end_offset: found.end.0,
            ..EpochEndOffset::default()
        },
        None => refused(asked.partition, ErrorCode::None),
    }
}

fn refused(partition: i32, error_code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset { error_code, partition, ..EpochEndOffset::default() }
}
