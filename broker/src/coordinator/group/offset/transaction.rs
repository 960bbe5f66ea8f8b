//! TxnOffsetCommit: offsets that count once the transaction of their producer is committed.

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Uuid,
    messages::{
        TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        txn::txn_offset_commit::{
            TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
            TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
        },
    },
    wire::Str,
};
use milena_storage::producers::EndMarker;

use super::Committed;
use crate::coordinator::{
    group::{Groups, Limits, kind::Reader, request::InTransaction},
    runtime::Turn,
};

/// Topics come with name and id; whether they exist, and whether the transaction is open, has been
/// looked at.
pub(in crate::coordinator::group) fn commit(
    groups: &mut Groups,
    r: &InTransaction,
    limits: &Limits,
    turn: &mut Turn<Groups>,
) -> TxnOffsetCommitResponse {
    let fits = |partition: &TxnOffsetCommitRequestPartition| {
        limits.metadata_fits(partition.committed_metadata.as_deref())
    };
    let partitions = r.request.topics.iter().flat_map(|topic| {
        let fitting = topic.partitions.iter().filter(|&partition| fits(partition));
        fitting.map(|partition| (topic.topic_id, partition.partition_index))
    });
    if let Err(error) = check(groups, r, partitions) {
        return answer(&r.request, |_| error);
    }
    let r = &r.request;
    let (producer, epoch) = (ProducerId(r.producer_id), ProducerEpoch(r.producer_epoch));
    let now = turn.now.wall;
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
                expires_at: None,
                nth: 0,
            };
            let index = partition.partition_index;
            // Made by its first offset, if there is no group yet.
            let group = groups.group_mut(&r.group_id, now);
            turn.write_transactional(
                producer,
                epoch,
                committed.record(&group.id, &topic.name, index),
            );
            group.offsets.put_pending(producer, &topic.name, index, committed);
            groups.note_transaction(producer, &r.group_id);
        }
    }
    answer(
        r,
        |partition| {
            if fits(partition) { ErrorCode::None } else { ErrorCode::OffsetMetadataTooLarge }
        },
    )
}

/// What a producer committed takes effect, in all groups, or is forgotten.
pub(in crate::coordinator::group) fn end(groups: &mut Groups, marker: &EndMarker) {
    for id in groups.take_transaction(marker.producer) {
        if let Some(group) = groups.find_mut(&id) {
            group.offsets.end(marker.producer, marker.commit);
        }
    }
}

fn check(
    groups: &Groups,
    r: &InTransaction,
    partitions: impl Iterator<Item = (Uuid, i32)>,
) -> Result<(), ErrorCode> {
    let generation = r.request.generation_id_or_member_epoch;
    let Some(group) = groups.groups.get(&r.request.group_id) else {
        return if generation < 0 { Ok(()) } else { Err(r.absent_group) };
    };
    let who = Reader {
        member: Some(&r.request.member_id),
        instance: r.request.group_instance_id.as_ref(),
        epoch: generation,
        speaks_epochs: true,
        transactional: true,
    };
    group.check_commit(who, partitions).map_err(|error| {
        // Only the newest clients know of epochs of members.
        if error == ErrorCode::StaleMemberEpoch { r.stale_epoch } else { error }
    })
}

fn answer(
    r: &TxnOffsetCommitRequest,
    code: impl Fn(&TxnOffsetCommitRequestPartition) -> ErrorCode,
) -> TxnOffsetCommitResponse {
    let partition =
        |partition: &TxnOffsetCommitRequestPartition| TxnOffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: code(partition),
        };
    let topic = |topic: &TxnOffsetCommitRequestTopic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    let topics = r.topics.iter().map(topic).collect();
    TxnOffsetCommitResponse { topics, ..TxnOffsetCommitResponse::default() }
}
