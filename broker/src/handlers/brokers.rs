//! The brokers of the cluster as one client sees them.

use std::sync::Arc;

use milena_protocol::wire::Str;

use super::{Context, Endpoint};
use crate::{metadata::Broker, services::Services};

/// A broker, and where this client is to find it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) broker: Arc<Broker>,
    pub(super) host: Str,
    pub(super) port: i32,
}

/// The brokers that have the listener which the client came by, by number; fenced ones only if
/// asked for.
pub(super) fn seen_by(services: &Services, cx: &Context, with_fenced: bool) -> Vec<Seen> {
    let image = services.metadata.image();
    let shown = image.brokers().filter(|broker| with_fenced || !broker.fenced);
    shown.filter_map(|broker| see(services, cx, broker)).collect()
}

fn see(services: &Services, cx: &Context, broker: &Arc<Broker>) -> Option<Seen> {
    // What this broker was told to advertise when it registered may be a port that it chose
    // itself; the connection knows better.
    let (host, port) = if broker.id == services.identity.node_id {
        let Endpoint { host, port } = cx.advertised_endpoint();
        (Str::from(host), port)
    } else {
        let listener = cx.peer.listener.name.as_str();
        let endpoint = broker.endpoints.iter().find(|one| one.listener == listener)?;
        (endpoint.host.clone(), endpoint.port)
    };
    Some(Seen { broker: Arc::clone(broker), host, port: i32::from(port) })
}
