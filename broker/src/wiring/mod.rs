//! Puts the services together, starts and stops them.
//!
//! Order of a start: directories, metadata, services, listeners. A client that can connect finds
//! all of it ready. Order of a stop: no more requests; those that wait are answered; then the disk.

mod addresses;
mod cluster;
mod coordinators;
mod directories;
mod error;
mod markers;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use milena_storage::fs::{Disk, Pool, RealDisk};
use rustix::process::Resource;
use tracing::{info, warn};

pub use error::StartError;

use markers::FromController;

use crate::{
    clock::{Clock, Rng, SystemClock, SystemRng},
    config::BrokerConfig,
    dispatch::{self, Dispatch, Versions},
    metadata::Follow,
    metrics::Registry,
    network::{Accept, Limits, Net, Network, Tcp, Tuning},
    purgatory::Timers,
    replica::{self, Replicas, fetch_session::FetchSessions},
    services::{Identity, Services},
    tasks::{Spawn, TokioSpawn},
};

/// Every door to the outside that a broker uses.
#[derive(Clone, Debug)]
pub struct Seams<N> {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub spawn: Arc<dyn Spawn>,
    pub disk: Arc<dyn Disk>,
    pub net: N,
}

impl Seams<Tcp> {
    /// The machine's own. To be called on the runtime that is to do the work.
    #[must_use]
    pub fn real(config: &BrokerConfig) -> Self {
        let files = Limits::from_config(config).files(descriptors());
        Self {
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(SystemRng),
            spawn: Arc::new(TokioSpawn::new(tokio::runtime::Handle::current())),
            disk: Arc::new(Pool::new(Arc::new(RealDisk), files)),
            net: Tcp { tuning: Tuning::from_config(config) },
        }
    }
}

/// Starts brokers.
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// Returns once clients are served.
    ///
    /// # Errors
    /// What stands in the way; nothing is left open then.
    pub async fn start<N: Net>(
        config: BrokerConfig,
        seams: Seams<N>,
    ) -> Result<Running, StartError> {
        let began = seams.clock.monotonic();
        for key in config.unknown_keys() {
            warn!(key, "passed over a setting that means nothing here");
        }
        let directories = directories::open(&seams.disk, &config, &*seams.rng)?;
        let first = directories.usable.first().ok_or(StartError::NoDirectory)?;
        let cluster_id = first.meta().cluster_id.clone();
        let identity = Identity { cluster_id, node_id: config.node_id };
        let current = Arc::new(ArcSwap::from_pointee(config.clone()));
        let metrics = Arc::new(Registry::default());
        let timers = Arc::new(Timers::start(Arc::clone(&seams.clock), &*seams.spawn));
        let replicas = Arc::new(Replicas::new(replica::Parts {
            node_id: config.node_id,
            config: Arc::clone(&current),
            clock: Arc::clone(&seams.clock),
            timers: Arc::clone(&timers),
            rng: Arc::clone(&seams.rng),
            metrics: Arc::clone(&metrics),
            dirs: directories.usable.clone(),
            failed_dirs: directories.failed,
        }));
        let groups = coordinators::groups(&config, &seams, &timers, &replicas);
        let producer_ids = Arc::new(FromController::default());
        let transactions = coordinators::transactions(
            &config,
            &seams,
            &timers,
            (&replicas, &groups),
            Arc::clone(&producer_ids),
            Arc::clone(&metrics),
        );
        let cluster = cluster::start(&seams, first, &current, |metadata, replayed| {
            let log_dirs = replicas.load(replayed).map_err(StartError::Logs)?;
            replicas.start(&*seams.spawn).map_err(StartError::Thread)?;
            metadata.subscribe(Arc::clone(&replicas) as Arc<dyn Follow>);
            metadata.subscribe(Arc::clone(&groups) as Arc<dyn Follow>);
            metadata.subscribe(Arc::clone(&transactions) as Arc<dyn Follow>);
            Ok(log_dirs)
        })?;
        replicas.take_snapshots(cluster.snapshots);
        producer_ids.set(cluster.controller.clone());
        let services = Arc::new(Services {
            clock: Arc::clone(&seams.clock),
            rng: Arc::clone(&seams.rng),
            spawn: Arc::clone(&seams.spawn),
            metrics: Arc::clone(&metrics),
            timers: Arc::clone(&timers),
            config: current,
            identity,
            metadata: cluster.metadata,
            controller: cluster.controller,
            replicas,
            groups,
            transactions,
            fetch_sessions: FetchSessions::from_config(&config),
            apis: dispatch::advertised(Versions::from_config(&config)),
        });
        let took = seams.clock.monotonic() - began;
        for directory in &directories.usable {
            info!(directory = %directory.root().display(), took_ms = ms(took), "recovered");
        }

        let dispatch = Arc::new(Dispatch::new(Arc::clone(&services)));
        let limits = Limits::from_config(&config).within(descriptors());
        let network = Network::new(dispatch, limits, timers, metrics, Arc::clone(&seams.spawn));
        let addresses = listen(&seams.net, &network, &config)?;
        info!(
            cluster_id = services.identity.cluster_id,
            node_id = services.identity.node_id,
            connections_max = limits.connections,
            took_ms = ms(seams.clock.monotonic() - began),
            "ready"
        );
        Ok(Running { addresses, network, services })
    }
}

/// How many the system allows this process.
fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(Resource::Nofile).current
}

/// A broker that serves.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    network: Network,
    services: Arc<Services>,
}

impl Running {
    /// Where each listener of the configuration listens, with the port that it got.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Lets requests that were taken end for as long as `grace`, then closes what is open.
    pub async fn stop(self, grace: Duration) {
        let timers = &self.services.timers;
        self.services.replicas.end_fetches();
        self.services.groups.stop();
        self.services.transactions.stop();
        tokio::select! {
            () = self.network.stop() => info!("all connections are closed"),
            () = timers.sleep_until(timers.now() + grace) => {
                warn!(grace_ms = ms(grace), "stopping with requests that are not answered");
            }
        }
        self.services.controller.stop().await;
        self.services.replicas.close().await;
        info!("stopped");
    }
}

fn listen<N: Net>(
    net: &N,
    network: &Network,
    config: &BrokerConfig,
) -> Result<Vec<SocketAddr>, StartError> {
    // All are opened before the first one is served: a start succeeds whole or not at all.
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        let failed = |error| StartError::Listen { listener: listener.to_string(), error };
        let opened = addresses::open(net, listener).map_err(failed)?;
        let address = opened.local_addr().map_err(failed)?;
        listeners.push((opened, address, addresses::info_of(listener, config)));
    }
    let mut opened = Vec::new();
    for (listener, address, told) in listeners {
        info!(listener = told.name, %address, "listening");
        network.open(listener, Arc::new(told));
        opened.push(address);
    }
    Ok(opened)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
