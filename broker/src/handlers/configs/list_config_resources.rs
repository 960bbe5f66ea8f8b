//! ListConfigResources v0-1. v0 knows subscriptions to client metrics alone, of which there are
//! none; v1 asks by type, or for all of them (KIP-1142). Left out: client metrics have no
//! settings yet, so none is listed.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ListConfigResourcesRequest, ListConfigResourcesResponse,
        configs::list_config_resources::ConfigResource,
    },
    wire::Str,
};

use crate::{handlers::Context, metadata::ResourceKind, services::Services};

pub async fn list_config_resources(
    services: &Arc<Services>,
    cx: &Context,
    r: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    if r.resource_types.iter().any(|number| !KNOWN.contains(number)) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion,
            ..ListConfigResourcesResponse::default()
        };
    }
    let mut config_resources = Vec::new();
    if cx.version >= BY_TYPE_FROM {
        let asked = |number| r.resource_types.is_empty() || r.resource_types.contains(&number);
        let image = services.metadata.image();
        let named =
            |resource_type| move |resource_name| ConfigResource { resource_name, resource_type };
        if asked(TOPIC) {
            config_resources
                .extend(image.topics().map(|topic| topic.name.clone()).map(named(TOPIC)));
        }
        if asked(GROUP) {
            let groups = image.resources().filter(|one| one.kind == ResourceKind::Group);
            config_resources.extend(groups.map(|one| one.name.clone()).map(named(GROUP)));
        }
        for number in [BROKER, BROKER_LOGGER] {
            if asked(number) {
                let ids = image.brokers().map(|broker| Str::from(broker.id.to_string()));
                config_resources.extend(ids.map(named(number)));
            }
        }
    }
    ListConfigResourcesResponse { config_resources, ..ListConfigResourcesResponse::default() }
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const KNOWN: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
const BY_TYPE_FROM: i16 = 1;
