//! What consumers of the classic protocol tell each other through the broker. In a consumer group
//! the broker is the one that they talk to.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use milena_protocol::{
    Uuid,
    state::{
        consumer_protocol::{
            AssignedPartition, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
        },
        encode_value,
    },
    wire::{Record, Str},
};

use crate::coordinator::group::{Catalog, assignor::Partitions};

/// What a member subscribes to and owns.
pub(super) struct Subscription {
    pub(super) topics: BTreeSet<Str>,
    pub(super) rack: Option<Str>,
    pub(super) owned: Vec<(Uuid, Vec<i32>)>,
}

/// `None`: it makes no sense.
pub(super) fn subscription(metadata: &Bytes, catalog: &Catalog) -> Option<Subscription> {
    let read: ConsumerProtocolSubscription = decode(metadata)?;
    let owned = read.owned_partitions.into_iter().filter_map(|topic| {
        let id = catalog.topic(&topic.topic)?.id;
        Some((id, topic.partitions))
    });
    Some(Subscription {
        topics: read.topics.iter().map(Str::detached).collect(),
        rack: read.rack_id.as_ref().map(Str::detached),
        owned: owned.collect(),
    })
}

/// The partitions of an assignment that a leader made, and whether it says more than those.
/// `None`: it makes no sense.
pub(super) fn assignment(bytes: &Bytes, catalog: &Catalog) -> Option<(Partitions, bool)> {
    if bytes.is_empty() {
        return Some((Partitions::new(), false));
    }
    let read: ConsumerProtocolAssignment = decode(bytes)?;
    let says_more = read.user_data.is_some_and(|data| !data.is_empty());
    let mut partitions = Partitions::new();
    for topic in read.assigned_partitions {
        if let Some(found) = catalog.topic(&topic.topic) {
            partitions.entry(found.id).or_default().extend(topic.partitions);
        }
    }
    partitions.retain(|_, indexes| !indexes.is_empty());
    Some((partitions, says_more))
}

/// An assignment as the member who wrote `metadata` reads it.
pub(super) fn encode_assignment(
    partitions: &Partitions,
    metadata: Option<&Bytes>,
    catalog: &Catalog,
) -> Bytes {
    let assigned = partitions.iter().filter_map(|(&id, indexes)| {
        Some(AssignedPartition {
            topic: catalog.topic_by_id(id)?.name.clone(),
            partitions: indexes.iter().copied().collect(),
        })
    });
    let value =
        ConsumerProtocolAssignment { assigned_partitions: assigned.collect(), user_data: None };
    let version = metadata.and_then(|metadata| metadata.clone().try_get_i16().ok());
    encode_value(&value, version.unwrap_or_default().clamp(0, VERSION_MAX))
}

/// Each version begins with what the one before has: a later one is read as the latest known.
fn decode<R: Record>(bytes: &Bytes) -> Option<R> {
    let mut bytes = bytes.clone();
    let version = bytes.try_get_i16().ok()?;
    R::decode(&mut bytes, R::version(version.clamp(0, VERSION_MAX))).ok()
}

const VERSION_MAX: i16 = 3;
