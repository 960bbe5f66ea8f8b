//! DescribeCluster v0-2. v1 tells whether brokers or controllers are asked for (KIP-919), v2 shows
//! fenced brokers (KIP-1073). Left out: controllers, which have no listener of their own.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeClusterRequest, DescribeClusterResponse,
        cluster::describe_cluster::DescribeClusterBroker,
    },
    wire::Str,
};

use crate::{
    handlers::{Context, brokers, operations},
    services::Services,
};

pub async fn describe_cluster(
    services: &Arc<Services>,
    cx: &Context,
    r: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let refused = |error_code, why| DescribeClusterResponse {
        error_code,
        error_message: Some(Str::from_static(why)),
        ..DescribeClusterResponse::default()
    };
    match r.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refused(
                ErrorCode::MismatchedEndpointType,
                "this listener is a broker's, not a controller's",
            );
        }
        _ => return refused(ErrorCode::UnsupportedEndpointType, "unknown type of endpoint"),
    }
    let brokers = brokers::seen_by(services, cx, r.include_fenced_brokers);
    DescribeClusterResponse {
        cluster_id: Str::from(&services.identity.cluster_id),
        controller_id: services.identity.node_id,
        brokers: brokers.into_iter().map(broker).collect(),
        cluster_authorized_operations: match r.include_cluster_authorized_operations {
            true => operations::CLUSTER,
            false => i32::MIN,
        },
        ..DescribeClusterResponse::default()
    }
}

fn broker(seen: brokers::Seen) -> DescribeClusterBroker {
    DescribeClusterBroker {
        broker_id: seen.broker.id,
        host: seen.host,
        port: seen.port,
        rack: seen.broker.rack.clone(),
        is_fenced: seen.broker.fenced,
    }
}

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;
