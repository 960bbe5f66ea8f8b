//! CreateTopics v2-7. v4 allows -1 for the broker's defaults (KIP-464), v5 returns partitions and
//! settings (KIP-525), v7 the topic's id (KIP-516). Left out: the time-out; the answer waits for the
//! commit, which is one sync away.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        CreateTopicsRequest, CreateTopicsResponse,
        topics::create_topics::{CreatableTopicConfigs, CreatableTopicResult},
    },
    wire::Str,
};

use crate::{
    config::{Described, describe_topic},
    controller::{Created, Refusal},
    handlers::{Context, error::Coded, settings::source_number},
    metadata::settings_in_force,
    services::Services,
};

pub async fn create_topics(
    services: &Arc<Services>,
    _cx: &Context,
    r: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<Str> = r.topics.iter().map(|topic| topic.name.clone()).collect();
    let results = services.controller.create_topics(r.topics, r.validate_only).await;
    let topics = names.into_iter().zip(results).map(|(name, result)| match result {
        Ok(created) => succeeded(services, name, &created),
        Err(refusal) => failed(name, &refusal),
    });
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}

fn succeeded(services: &Services, name: Str, created: &Created) -> CreatableTopicResult {
    let settings = settings_in_force(&name, &created.settings);
    let settings = describe_topic(&settings, &services.config.load().layers);
    CreatableTopicResult {
        name,
        topic_id: created.id,
        num_partitions: i32::try_from(created.partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(created.replication_factor).unwrap_or(i16::MAX),
        configs: Some(settings.into_iter().map(config).collect()),
        ..CreatableTopicResult::default()
    }
}

fn failed(name: Str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refusal.code(),
        error_message: Some(Str::from(refusal.to_string())),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

fn config(one: Described) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: Str::from(one.name),
        value: one.value.map(Str::from),
        read_only: one.read_only,
        config_source: source_number(one.source),
        is_sensitive: false,
    }
}
