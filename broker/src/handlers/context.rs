//! What a handler knows of the request beside its body: who sent it, where, and when it came.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use milena_protocol::{Timestamp, wire::Str};

use super::Turns;

/// One request's circumstances.
#[derive(Clone, Debug)]
pub struct Context {
    pub peer: Arc<Peer>,
    /// What the client calls itself; its word only. In memory of its own: see [`Peer::own`].
    pub client_id: Option<Str>,
    /// The version of the request, for the few handlers whose answer depends on it.
    pub version: i16,
    /// The wall clock when the request was taken up.
    pub now: Timestamp,
}

impl Context {
    /// Where this client is to find this broker: what the listener advertises, or else the
    /// address that the client dialled.
    #[must_use]
    pub fn advertised_endpoint(&self) -> Endpoint {
        match &self.peer.listener.advertised {
            Some(endpoint) => endpoint.clone(),
            None => Endpoint {
                host: self.peer.local.ip().to_canonical().to_string(),
                port: self.peer.local.port(),
            },
        }
    }
}

/// The connection that a request came by.
#[derive(Debug)]
pub struct Peer {
    /// Unique while the broker runs.
    pub connection: u64,
    pub remote: SocketAddr,
    /// The address that the client dialled, as this machine sees it.
    pub local: SocketAddr,
    pub listener: Arc<ListenerInfo>,
    /// What the client called itself in its first request.
    pub client_id: OnceLock<Str>,
    /// What the client said of itself in its first ApiVersions (KIP-511).
    pub software: OnceLock<Software>,
    /// The produces of this connection that wait before they append.
    pub produces: Turns,
}

impl Peer {
    /// The client's address as ACLs, quotas and group descriptions spell it.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// `client_id` without the frame that it came in, which a request that waits would keep in
    /// memory. A client calls itself the same in all its requests: that is kept once.
    #[must_use]
    pub fn own(&self, client_id: &Str) -> Str {
        let known = self.client_id.get_or_init(|| client_id.detached());
        if known == client_id { known.clone() } else { client_id.detached() }
    }
}

/// A listener as clients are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerInfo {
    /// The name in `listeners`, such as `PLAINTEXT`.
    pub name: String,
    /// Its entry in `advertised.listeners`, if there is one.
    pub advertised: Option<Endpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    pub name: String,
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(advertised: Option<Endpoint>, local: &str) -> Context {
        let peer = Peer {
            connection: 1,
            remote: "10.0.0.9:4000".parse().unwrap(),
            local: local.parse().unwrap(),
            listener: Arc::new(ListenerInfo { name: "PLAINTEXT".to_owned(), advertised }),
            client_id: OnceLock::new(),
            software: OnceLock::new(),
            produces: Turns::default(),
        };
        Context { peer: Arc::new(peer), client_id: None, version: 0, now: Timestamp(0) }
    }

    #[test]
    fn a_client_id_is_kept_once_and_without_its_frame() {
        let peer = context(None, "127.0.0.1:9092").peer;
        let frame = Str::from("consumer-1");
        let own = peer.own(&frame);
        assert_eq!(own, frame);
        assert_ne!(own.as_ptr(), frame.as_ptr());
        assert_eq!(peer.own(&Str::from("consumer-1")).as_ptr(), own.as_ptr());
        assert_eq!(peer.own(&Str::from("another")), "another");
    }

    #[test]
    fn a_client_is_told_what_it_dialled_unless_something_is_advertised() {
        let dialled = Endpoint { host: "127.0.0.1".to_owned(), port: 9092 };
        assert_eq!(context(None, "127.0.0.1:9092").advertised_endpoint(), dialled);
        assert_eq!(context(None, "[::ffff:127.0.0.1]:9092").advertised_endpoint(), dialled);
        let advertised = Endpoint { host: "kafka.example".to_owned(), port: 443 };
        let cx = context(Some(advertised.clone()), "127.0.0.1:9092");
        assert_eq!(cx.advertised_endpoint(), advertised);
    }
}
