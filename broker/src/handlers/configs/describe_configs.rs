//! DescribeConfigs v1-4. v1 has sources and synonyms (KIP-226), v3 types and documentation
//! (KIP-569). Left out: resources other than topics, brokers and
//! groups.

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::{
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        configs::describe_configs::{
            DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
            DescribeConfigsSynonym,
        },
    },
    wire::Str,
};

use crate::{
    config::{Described, describe_broker, describe_cluster, describe_group, describe_topic},
    controller::{Refusal, check_topic_name},
    handlers::{
        Context,
        error::Coded,
        settings::{kind_number, source_number},
    },
    metadata::{Resource, ResourceKind, settings_in_force},
    services::Services,
};

pub async fn describe_configs(
    services: &Arc<Services>,
    _cx: &Context,
    r: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let show = |one| entry(one, r.include_synonyms, r.include_documentation);
    let (mut seen, mut repeats) = (BTreeSet::new(), 0);
    let results = r.resources.into_iter().map(|resource| {
        if !seen.insert((resource.resource_type, resource.resource_name.clone())) {
            repeats += 1;
        }
        let found = match repeats <= REPEATS_MAX {
            true => find(services, &resource),
            false => Err(Refusal::Twice("resource")),
        };
        DescribeConfigsResult {
            error_code: found.code(),
            error_message: found.as_ref().err().map(|refusal| Str::from(refusal.to_string())),
            configs: found
                .unwrap_or_default()
                .into_iter()
                .filter(|one| is_asked_for(&resource, &one.name))
                .map(show)
                .collect(),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

fn find(
    services: &Services,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Described>, Refusal> {
    let config = services.config.load();
    let name = resource.resource_name.as_str();
    let number = resource.resource_type;
    match ResourceKind::from_number(number).ok_or(Refusal::UnknownResource { number })? {
        ResourceKind::Topic => {
            check_topic_name(name)?;
            let image = services.metadata.image();
            image.topic(name).ok_or(Refusal::UnknownTopic)?;
            let overrides = image.settings(&Resource::topic(name));
            let settings = settings_in_force(name, &overrides);
            Ok(describe_topic(&settings, &config.layers))
        }
        ResourceKind::Group if name.is_empty() => {
            Err(Refusal::BadResource("groups have no common configuration".to_owned()))
        }
        // Of a group that does not exist, too: it has the defaults.
        ResourceKind::Group => {
            let own = services.metadata.image().settings(&Resource::group(name));
            Ok(describe_group(&own, &config.layers))
        }
        ResourceKind::Broker if name.is_empty() => Ok(describe_cluster(&config.layers)),
        ResourceKind::Broker if name.parse() == Ok(services.identity.node_id) => {
            Ok(describe_broker(&config.layers))
        }
        ResourceKind::Broker => Err(Refusal::BadResource(format!(
            "this is broker {}, not {name:?}",
            services.identity.node_id
        ))),
    }
}

/// An absent list of keys and an empty one both ask for all.
fn is_asked_for(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| **key == *name)
}

fn entry(one: Described, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    let shown = one.synonyms.into_iter().filter(|_| synonyms);
    DescribeConfigsResourceResult {
        name: Str::from(one.name),
        value: one.value.map(Str::from),
        read_only: one.read_only,
        config_source: source_number(one.source),
        is_sensitive: false,
        synonyms: shown
            .map(|synonym| DescribeConfigsSynonym {
                name: Str::from(synonym.name),
                value: Some(Str::from(synonym.value)),
                source: source_number(synonym.source),
            })
            .collect(),
        config_type: kind_number(one.kind),
        documentation: documentation.then(|| Str::from_static(one.doc)),
    }
}

/// How often resources may be named again in one request: an answer is a hundred times the size
/// of its question.
const REPEATS_MAX: usize = 100;
