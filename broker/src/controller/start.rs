//! What a broker's start changes: it is registered under a new epoch, and every partition that it
//! leads begins a new reign. A leader that went on in its old epoch after a crash could put a
//! second record at an offset that was already acknowledged.

use milena_protocol::{
    state::metadata::{BrokerEndpoint, BrokerFeature, PartitionChangeRecord, RegisterBrokerRecord},
    wire::Str,
};

use super::{View, features};
use crate::{config::Listener, metadata::MetadataRecord};

/// The records of a start, the features of a new cluster first.
pub(super) fn records(view: &View<'_>) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    if view.image.features().next().is_none() {
        records.extend(features::bootstrap());
    }
    // The epoch is where the registration stands in the log, as in Kafka: it can only grow.
    let offset = i64::try_from(records.len()).unwrap_or(0) + view.image.end();
    records.push(registration(view, offset));
    records.extend(new_reigns(view));
    records
}

fn registration(view: &View<'_>, broker_epoch: i64) -> MetadataRecord {
    let config = view.config;
    let listeners = match config.advertised_listeners.as_slice() {
        [] => &config.listeners,
        _ => &config.advertised_listeners,
    };
    let features = features::SUPPORTED_FEATURES.iter().map(|feature| BrokerFeature {
        name: Str::from_static(feature.name),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
    });
    RegisterBrokerRecord {
        broker_id: view.node.id,
        incarnation_id: view.rng.uuid(),
        broker_epoch,
        end_points: listeners.iter().map(endpoint).collect(),
        features: features.collect(),
        rack: config.rack.as_ref().map(Str::from),
        fenced: false,
        log_dirs: view.node.directories.clone(),
        ..RegisterBrokerRecord::default()
    }
    .into()
}

fn endpoint(listener: &Listener) -> BrokerEndpoint {
    BrokerEndpoint {
        name: Str::from(&listener.name),
        host: Str::from(&listener.host),
        port: listener.port,
        security_protocol: 0,
    }
}

/// One record for each partition that this broker leads, or can lead because nobody does.
fn new_reigns(view: &View<'_>) -> impl Iterator<Item = MetadataRecord> {
    let id = view.node.id;
    view.image.topics().flat_map(move |topic| {
        let mine = (0..).zip(&topic.partitions).filter(move |(_, partition)| {
            partition.leader == id || (partition.leader == -1 && partition.isr.contains(&id))
        });
        mine.map(move |(partition_id, _)| {
            PartitionChangeRecord {
                partition_id,
                topic_id: topic.id,
                leader: id,
                ..PartitionChangeRecord::default()
            }
            .into()
        })
    })
}
