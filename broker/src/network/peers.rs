//! The connections that are open, by address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::limits::Limits;
use crate::metrics::{Counter, Gauge, Registry, names};

/// Counts connections against their limits.
#[derive(Debug)]
pub(super) struct Peers {
    open: Mutex<Open>,
    shown: Gauge,
    accepted: Counter,
    next_id: AtomicU64,
    all_gone: Notify,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One open connection, until dropped.
#[derive(Debug)]
pub(super) struct Admission {
    peers: Arc<Peers>,
    address: IpAddr,
    pub(super) id: u64,
}

/// The limit that a connection is one too many for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Broker,
    Address,
}

impl Full {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Broker => "max.connections",
            Self::Address => "max.connections.per.ip",
        }
    }
}

impl Peers {
    pub(super) fn new(metrics: &Registry) -> Self {
        Self {
            open: Mutex::default(),
            shown: metrics.gauge(&names::CONNECTIONS),
            accepted: metrics.counter(&names::CONNECTIONS_ACCEPTED),
            next_id: AtomicU64::new(1),
            all_gone: Notify::new(),
        }
    }

    pub(super) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &Limits,
    ) -> Result<Admission, Full> {
        self.accepted.increment();
        let address = address.to_canonical();
        let mut open = self.lock();
        if open.total >= limits.connections {
            return Err(Full::Broker);
        }
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= limits.connections_per_address {
            return Err(Full::Address);
        }
        open.by_address.insert(address, of_address + 1);
        open.total += 1;
        drop(open);
        self.shown.add(1);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Ok(Admission { peers: Arc::clone(self), address, id })
    }

    /// Resolves once no connection is open.
    pub(super) async fn gone(&self) {
        loop {
            let changed = self.all_gone.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().total == 0 {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.peers.shown.add(-1);
        let mut open = self.peers.lock();
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
        if open.total == 0 {
            self.peers.all_gone.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_until_it_is_gone() {
        let config = crate::config::BrokerConfig::from_settings(Default::default()).unwrap();
        let limits =
            Limits { connections: 3, connections_per_address: 2, ..Limits::from_config(&config) };
        let peers = Arc::new(Peers::new(&Registry::default()));
        let [here, there]: [IpAddr; 2] =
            ["127.0.0.1", "10.0.0.1"].map(|text| text.parse().unwrap());
        let first = peers.admit(here, &limits).unwrap();
        let _second = peers.admit("::ffff:127.0.0.1".parse().unwrap(), &limits).unwrap();
        assert_eq!(peers.admit(here, &limits).unwrap_err(), Full::Address);
        let _third = peers.admit(there, &limits).unwrap();
        assert_eq!(peers.admit(there, &limits).unwrap_err(), Full::Broker);
        drop(first);
        assert_eq!(peers.shown.get(), 2);
        peers.admit(here, &limits).unwrap();
    }
}
