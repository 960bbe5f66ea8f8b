//! AlterConfigs v0-2: replaces all that was set for a resource. The versions differ in their form
//! alone. Left out: resources other than topics, brokers and groups.

use std::sync::Arc;

use milena_protocol::{
    messages::{
        AlterConfigsRequest, AlterConfigsResponse,
        configs::alter_configs::AlterConfigsResourceResponse,
    },
    wire::Str,
};

use crate::{
    controller::{Alteration, Change},
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn alter_configs(
    services: &Arc<Services>,
    _cx: &Context,
    r: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut alterations = Vec::with_capacity(r.resources.len());
    let mut responses = Vec::with_capacity(r.resources.len());
    for resource in r.resources {
        responses.push(AlterConfigsResourceResponse {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..AlterConfigsResourceResponse::default()
        });
        let pairs = resource.configs.into_iter().map(|config| (config.name, config.value));
        alterations.push(Alteration {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            change: Change::Replace(pairs.collect()),
        });
    }
    let outcomes = services.controller.alter_configs(alterations, r.validate_only).await;
    for (response, outcome) in responses.iter_mut().zip(outcomes) {
        response.error_code = outcome.code();
        response.error_message = outcome.err().map(|refusal| Str::from(refusal.to_string()));
    }
    AlterConfigsResponse { responses, ..AlterConfigsResponse::default() }
}
