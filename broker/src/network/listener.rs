//! Takes connections in, as many as there may be, and ends them when the broker stops.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use tracing::{debug, error, info, warn};

use super::{
    Accept, Socket,
    activity::Traffic,
    budget::Budget,
    closed::Closed,
    connection::{self, Shared},
    limits::{ACCEPT_PAUSE, Limits},
    peers::{Admission, Peers},
    stop::Stop,
};
use crate::{
    dispatch::{Dispatch, ListenerInfo, Peer, Turns},
    metrics::{Registry, names},
    purgatory::Timers,
    tasks::Spawn,
};

/// All listeners of a broker and the connections that came by them.
#[derive(Clone, Debug)]
pub struct Network {
    shared: Shared,
    peers: Arc<Peers>,
    stop: Arc<Stop>,
    metrics: Arc<Registry>,
    spawn: Arc<dyn Spawn>,
}

impl Network {
    #[must_use]
    pub fn new(
        dispatch: Arc<Dispatch>,
        limits: Limits,
        timers: Arc<Timers>,
        metrics: Arc<Registry>,
        spawn: Arc<dyn Spawn>,
    ) -> Self {
        let held = metrics.gauge(&names::REQUEST_BYTES_HELD);
        let budget = Arc::new(Budget::new(limits.held_bytes, held));
        let traffic = Traffic::new(&metrics);
        let shared = Shared { dispatch, timers, limits, budget, traffic };
        let peers = Arc::new(Peers::new(&metrics));
        Self { shared, peers, stop: Arc::default(), metrics, spawn }
    }

    /// Serves whoever connects to `listener`, until [`Network::stop`].
    pub fn open(&self, listener: impl Accept, info: Arc<ListenerInfo>) {
        self.spawn.task(Box::pin(accept(self.clone(), listener, info)));
    }

    /// Takes no more connections and no more requests. Resolves once every request that was taken
    /// is answered and every connection closed; drop it to wait no longer.
    pub async fn stop(&self) {
        self.stop.begin();
        self.peers.gone().await;
    }

    fn welcome(&self, socket: impl Socket, remote: SocketAddr, listener: &Arc<ListenerInfo>) {
        let admission = match self.peers.admit(remote.ip(), &self.shared.limits) {
            Ok(admission) => admission,
            Err(full) => {
                let limit = full.label();
                info!(%remote, limit, "refused a connection: too many are open");
                self.metrics.counter_of(&names::CONNECTIONS_REFUSED, limit).increment();
                return;
            }
        };
        // Without an address of its own it is gone already.
        let Ok(local) = socket.local_addr() else { return };
        let peer = Peer {
            connection: admission.id,
            remote,
            local,
            listener: Arc::clone(listener),
            client_id: OnceLock::new(),
            software: OnceLock::new(),
            produces: Turns::default(),
        };
        self.spawn.task(Box::pin(serve(self.clone(), socket, peer, admission)));
    }
}

async fn accept(network: Network, listener: impl Accept, info: Arc<ListenerInfo>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, remote)) => network.welcome(socket, remote, &info),
                Err(error) => {
                    warn!(listener = info.name, %error, "could not take a connection");
                    let timers = &network.shared.timers;
                    timers.sleep_until(timers.now() + ACCEPT_PAUSE).await;
                }
            },
            () = network.stop.begun() => return,
        }
    }
}

async fn serve(network: Network, socket: impl Socket, peer: Peer, admission: Admission) {
    let (connection, remote) = (peer.connection, peer.remote);
    debug!(connection, %remote, "connection opened");
    let stop = Arc::clone(&network.stop);
    let closed = connection::run(socket, Arc::new(peer), &network.shared, stop).await;
    drop(admission);
    match closed.label() {
        None => debug!(connection, %remote, reason = %closed, "connection closed"),
        Some(label) => {
            network.metrics.counter_of(&names::CONNECTIONS_CLOSED, label).increment();
            match closed {
                Closed::Panicked => error!(connection, %remote, reason = %closed, "closed"),
                _ => info!(connection, %remote, reason = %closed, "closed a connection"),
            }
        }
    }
}
