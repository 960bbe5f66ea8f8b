//! What handlers may call, in one struct. `wiring` fills it; everything in it is shared by all
//! connections.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use milena_protocol::messages::cluster::api_versions::ApiVersion;

use crate::{
    clock::{Clock, Rng},
    config::BrokerConfig,
    controller::Controller,
    coordinator::{group::GroupCoordinator, txn::TransactionCoordinator},
    metadata::Metadata,
    metrics::Registry,
    purgatory::Timers,
    replica::{Partition, Replicas, fetch_session::FetchSessions},
    tasks::Spawn,
};

#[derive(Debug)]
pub struct Services {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub spawn: Arc<dyn Spawn>,
    pub metrics: Arc<Registry>,
    pub timers: Arc<Timers>,
    /// Replaced when settings change while the broker runs.
    pub config: Arc<ArcSwap<BrokerConfig>>,
    pub metadata: Arc<Metadata>,
    pub controller: Controller,
    pub replicas: Arc<Replicas>,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub fetch_sessions: FetchSessions<Weak<Partition>>,
    pub identity: Identity,
    /// Every API served, as ApiVersions tells it: the side that lists them is above this one.
    pub apis: Vec<ApiVersion>,
}

/// Who this broker is; it never changes while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: String,
    pub node_id: i32,
}
