//! An image as the records that make it.

use milena_protocol::{
    state::metadata::{
        BrokerEndpoint, ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord,
        RegisterBrokerRecord, TopicRecord,
    },
    wire::Str,
};

use crate::metadata::{Broker, Endpoint, Image, MetadataRecord, Topic};

/// Applied in this order to an empty image they make `image`, its end aside.
pub(super) fn records(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    // Before anything else: the level says how the rest is to be understood.
    features(image)
        .chain(image.brokers().map(|broker| registration(broker)))
        .chain(image.topics().flat_map(|topic| topic_records(topic)))
        .chain(configs(image))
        .chain(producer_ids(image))
}

fn features(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    image.features().map(|(name, feature_level)| {
        FeatureLevelRecord { name: name.clone(), feature_level }.into()
    })
}

fn registration(broker: &Broker) -> MetadataRecord {
    RegisterBrokerRecord {
        broker_id: broker.id,
        incarnation_id: broker.incarnation,
        broker_epoch: broker.epoch,
        end_points: broker.endpoints.iter().map(endpoint).collect(),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        log_dirs: broker.directories.clone(),
        ..RegisterBrokerRecord::default()
    }
    .into()
}

fn endpoint(endpoint: &Endpoint) -> BrokerEndpoint {
    BrokerEndpoint {
        name: endpoint.listener.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: 0,
    }
}

fn topic_records(topic: &Topic) -> impl Iterator<Item = MetadataRecord> {
    let created = TopicRecord { name: topic.name.clone(), topic_id: topic.id };
    let partitions = (0..).zip(&topic.partitions).map(|(partition_id, partition)| {
        PartitionRecord {
            partition_id,
            topic_id: topic.id,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            leader: partition.leader,
            leader_epoch: partition.leader_epoch.0,
            partition_epoch: partition.partition_epoch,
            directories: partition.directories.clone(),
            ..PartitionRecord::default()
        }
        .into()
    });
    std::iter::once(created.into()).chain(partitions)
}

fn configs(image: &Image) -> impl Iterator<Item = MetadataRecord> {
    image.resources().flat_map(|resource| {
        let settings = image.settings(resource);
        let record = |(name, value): (&String, &String)| {
            ConfigRecord {
                resource_type: resource.kind.number(),
                resource_name: resource.name.clone(),
                name: Str::from(name),
                value: Some(Str::from(value)),
            }
            .into()
        };
        settings.iter().map(record).collect::<Vec<_>>()
    })
}

fn producer_ids(image: &Image) -> Option<MetadataRecord> {
    let next_producer_id = image.next_producer_id();
    // Who was given the last block is nobody's concern any more.
    let record = ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id };
    (next_producer_id > 0).then(|| record.into())
}
