//! Who leads a partition, and where its replicas live.

use milena_protocol::{Uuid, state::metadata::PartitionChangeRecord, wire::Str};

use super::{Reassignment, Refusal, View, topics::check_replicas};
use crate::metadata::{Image, MetadataRecord, Partition};

/// The preferred replica, if it is in sync; or anybody at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    Preferred,
    Unclean,
}

impl Election {
    #[must_use]
    pub const fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Preferred),
            1 => Some(Self::Unclean),
            _ => None,
        }
    }
}

/// One result for each of `partitions`, in their order.
pub(super) fn elect(
    view: &View<'_>,
    election: Election,
    partitions: &[(Str, i32)],
) -> (Vec<MetadataRecord>, Vec<Result<(), Refusal>>) {
    let mut records = Vec::new();
    let results = partitions
        .iter()
        .map(|(topic, index)| {
            let (topic_id, partition) = find(view.image, topic, *index)?;
            let up = |id: &i32| view.image.broker(*id).is_some_and(|broker| !broker.fenced);
            let leader = match election {
                Election::Preferred => partition.replicas.first().copied(),
                Election::Unclean if up(&partition.leader) => Some(partition.leader),
                Election::Unclean => partition.replicas.iter().copied().find(up),
            };
            match leader {
                Some(leader) if leader != partition.leader && up(&leader) => {
                    if election == Election::Preferred && !partition.isr.contains(&leader) {
                        return Err(Refusal::NoLeader);
                    }
                    let change = PartitionChangeRecord {
                        partition_id: *index,
                        topic_id,
                        leader,
                        ..PartitionChangeRecord::default()
                    };
                    records.push(change.into());
                    Ok(())
                }
                Some(leader) if leader == partition.leader => Err(Refusal::ElectionNotNeeded),
                _ => Err(Refusal::NoLeader),
            }
        })
        .collect();
    (records, results)
}

/// Whether each move is possible. One to where the replicas are is done at once; with one broker
/// there is no other.
pub(super) fn reassign(view: &View<'_>, moves: &[Reassignment]) -> Vec<Result<(), Refusal>> {
    let check = |one: &Reassignment| {
        find(view.image, &one.topic, one.partition)?;
        match &one.replicas {
            None => Err(Refusal::NothingToCancel),
            Some(replicas) => check_replicas(view, replicas),
        }
    };
    moves.iter().map(check).collect()
}

fn find<'a>(image: &'a Image, topic: &str, index: i32) -> Result<(Uuid, &'a Partition), Refusal> {
    let topic = image.topic(topic).ok_or(Refusal::UnknownTopic)?;
    let partition = usize::try_from(index).ok().and_then(|at| topic.partitions.get(at));
    Ok((topic.id, partition.ok_or(Refusal::UnknownPartition { index })?))
}
