//! Metadata v0-13. v1 tells "all topics" (null) from "none" (empty), v4 lets the client forbid the
//! creation of what it asks for, v8 brings authorized operations (KIP-430), v10 topic ids, v12
//! asking by them (KIP-516), v13 an error for the whole (KIP-1102). Left out: nothing.
//!
//! A topic that is created because it was asked for is in the same answer, ready to be used.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        MetadataRequest, MetadataResponse,
        cluster::metadata::{
            MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition,
            MetadataResponseTopic,
        },
        topics::create_topics::CreatableTopic,
    },
    wire::Str,
};

use crate::{
    controller::{Refusal, check_topic_name},
    handlers::{Context, brokers, error::Coded, internal_topics, operations},
    metadata::{Image, Topic, is_internal},
    services::Services,
};

pub async fn metadata(
    services: &Arc<Services>,
    cx: &Context,
    r: MetadataRequest,
) -> MetadataResponse {
    let all = cx.version == 0 && r.topics.as_ref().is_some_and(Vec::is_empty);
    let mut topics = match r.topics {
        Some(asked) if !all => {
            let create = r.allow_auto_topic_creation && services.config.load().auto_create_topics;
            described(services, cx, distinct(asked), create).await
        }
        _ => services.metadata.image().topics().map(|topic| describe(topic)).collect(),
    };
    if r.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::None) {
            topic.topic_authorized_operations = operations::TOPIC;
        }
    }
    let brokers = brokers::seen_by(services, cx, false);
    MetadataResponse {
        brokers: brokers.into_iter().map(broker).collect(),
        cluster_id: Some(Str::from(&services.identity.cluster_id)),
        controller_id: services.identity.node_id,
        topics,
        cluster_authorized_operations: match r.include_cluster_authorized_operations {
            true => operations::CLUSTER,
            false => i32::MIN,
        },
        ..MetadataResponse::default()
    }
}

/// One answer for each topic, after those that are missing were created where that is wanted.
async fn described(
    services: &Services,
    cx: &Context,
    asked: Vec<MetadataRequestTopic>,
    create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut image = services.metadata.image();
    let mut refused = BTreeMap::new();
    if create {
        let missing = missing(services, &image, &asked);
        if !missing.is_empty() {
            let names: Vec<Str> = missing.iter().map(|topic| topic.name.clone()).collect();
            let results = services.controller.create_topics(missing, false).await;
            let refusals = results.into_iter().map(Result::err);
            refused = names
                .into_iter()
                .zip(refusals)
                .filter_map(|(name, refusal)| Some((name, refusal?)))
                .collect();
            image = services.metadata.image();
        }
    }
    let why = |name: &Str| refused.get(name);
    asked.into_iter().map(|topic| answer(&image, cx.version, topic, why)).collect()
}

fn answer<'a>(
    image: &Image,
    version: i16,
    asked: MetadataRequestTopic,
    why: impl Fn(&Str) -> Option<&'a Refusal>,
) -> MetadataResponseTopic {
    let MetadataRequestTopic { topic_id, name } = asked;
    let failed = |error_code, name, topic_id| MetadataResponseTopic {
        error_code,
        name,
        topic_id,
        ..MetadataResponseTopic::default()
    };
    if !topic_id.is_zero() {
        return match image.topic_by_id(topic_id) {
            _ if version < ASKS_BY_ID_FROM => failed(ErrorCode::InvalidRequest, name, topic_id),
            Some(topic) => describe(topic),
            None => failed(ErrorCode::UnknownTopicId, None, topic_id),
        };
    }
    let Some(name) = name else {
        // Where it must not be null, an empty name says the same.
        let name = (version < ASKS_BY_ID_FROM).then(Str::default);
        return failed(ErrorCode::InvalidRequest, name, Uuid::ZERO);
    };
    match image.topic(&name) {
        Some(topic) => describe(topic),
        None => {
            let code = match (check_topic_name(&name), why(&name)) {
                (Err(_), _) => ErrorCode::InvalidTopicException,
                (Ok(()), Some(refusal)) => refusal.code(),
                (Ok(()), None) => ErrorCode::UnknownTopicOrPartition,
            };
            MetadataResponseTopic {
                is_internal: is_internal(&name),
                ..failed(code, Some(name), Uuid::ZERO)
            }
        }
    }
}

/// What is asked for by a name that is good and new. Of the brokers' own topics only those that
/// they have a use for: one that was begun as any other would be in the way later.
fn missing(
    services: &Services,
    image: &Image,
    asked: &[MetadataRequestTopic],
) -> Vec<CreatableTopic> {
    let names = asked.iter().filter(|topic| topic.topic_id.is_zero());
    names
        .filter_map(|topic| topic.name.clone())
        .filter(|name| check_topic_name(name).is_ok() && image.topic(name).is_none())
        .filter_map(|name| match is_internal(&name) {
            true => internal_topics::creatable(services, &name),
            false => Some(CreatableTopic {
                name,
                num_partitions: -1,
                replication_factor: -1,
                ..CreatableTopic::default()
            }),
        })
        .collect()
}

/// Each topic once, where it was first asked for: a request can name one a million times.
fn distinct(asked: Vec<MetadataRequestTopic>) -> Vec<MetadataRequestTopic> {
    let mut seen = BTreeSet::new();
    let mut kept = asked;
    kept.retain(|topic| seen.insert((topic.topic_id, topic.name.clone())));
    kept
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(partition_index, partition)| {
        MetadataResponsePartition {
            error_code: match partition.leader {
                -1 => ErrorCode::LeaderNotAvailable,
                _ => ErrorCode::None,
            },
            partition_index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.isr.clone(),
            offline_replicas: Vec::new(),
        }
    });
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

fn broker(seen: brokers::Seen) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id: seen.broker.id,
        host: seen.host,
        port: seen.port,
        rack: seen.broker.rack.clone(),
    }
}

const ASKS_BY_ID_FROM: i16 = 12;
