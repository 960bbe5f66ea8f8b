//! OffsetCommit.

use milena_protocol::{
    ErrorCode, Timestamp, Uuid,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        groups::offset_commit::{
            OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        },
    },
    wire::Str,
};

use super::Committed;
use crate::coordinator::group::{Groups, kind::Reader, machine::Step};

/// Topics come with name and id; whether they exist has been looked at. `speaks_epochs`: the
/// request's version knows that members have epochs.
pub(in crate::coordinator::group) fn commit(
    groups: &mut Groups,
    r: &OffsetCommitRequest,
    speaks_epochs: bool,
    step: &mut Step<'_>,
) -> OffsetCommitResponse {
    let limits = step.limits;
    let fits = |partition: &OffsetCommitRequestPartition| {
        limits.metadata_fits(partition.committed_metadata.as_deref())
    };
    let partitions = r.topics.iter().flat_map(|topic| {
        let fitting = topic.partitions.iter().filter(|&partition| fits(partition));
        fitting.map(|partition| (topic.topic_id, partition.partition_index))
    });
    if let Err(error) = check(groups, r, speaks_epochs, partitions, step) {
        return answer(r, |_| error);
    }
    let now = step.turn.now.wall;
    let expires_at = (r.retention_time_ms != DEFAULT_RETENTION)
        .then(|| Timestamp(now.0.saturating_add(r.retention_time_ms)));
    for topic in &r.topics {
        for partition in topic.partitions.iter().filter(|&partition| fits(partition)) {
            let committed = Committed {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition
                    .committed_metadata
                    .as_ref()
                    .map(Str::detached)
                    .unwrap_or_default(),
                topic_id: topic.topic_id,
                at: now,
                expires_at,
                nth: 0,
            };
            // Made by its first offset, if there is no group yet.
            let group = groups.group_mut(&r.group_id, now);
            step.turn.write(committed.record(&group.id, &topic.name, partition.partition_index));
            group.offsets.put(&topic.name, partition.partition_index, committed);
        }
    }
    answer(
        r,
        |partition| {
            if fits(partition) { ErrorCode::None } else { ErrorCode::OffsetMetadataTooLarge }
        },
    )
}

fn check(
    groups: &mut Groups,
    r: &OffsetCommitRequest,
    speaks_epochs: bool,
    partitions: impl Iterator<Item = (Uuid, i32)>,
    step: &mut Step<'_>,
) -> Result<(), ErrorCode> {
    let generation = r.generation_id_or_member_epoch;
    let Some(group) = groups.find_mut(&r.group_id) else {
        return match speaks_epochs {
            _ if generation < 0 => Ok(()),
            true => Err(ErrorCode::GroupIdNotFound),
            false => Err(ErrorCode::IllegalGeneration),
        };
    };
    let who = Reader {
        member: Some(&r.member_id),
        instance: r.group_instance_id.as_ref(),
        epoch: generation,
        speaks_epochs,
        transactional: false,
    };
    group.check_commit(who, partitions)?;
    group.committed(&r.member_id, step);
    Ok(())
}

fn answer(
    r: &OffsetCommitRequest,
    code: impl Fn(&OffsetCommitRequestPartition) -> ErrorCode,
) -> OffsetCommitResponse {
    let partition = |partition: &OffsetCommitRequestPartition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: code(partition),
    };
    let topic = |topic: &OffsetCommitRequestTopic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    let topics = r.topics.iter().map(topic).collect();
    OffsetCommitResponse { topics, ..OffsetCommitResponse::default() }
}

const DEFAULT_RETENTION: i64 = -1;
