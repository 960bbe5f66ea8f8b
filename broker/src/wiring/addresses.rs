//! From a listener's text to an open address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};

use crate::{
    config::{BrokerConfig, Listener},
    dispatch::{Endpoint, ListenerInfo},
    network::Net,
};

/// Opens the first address of the listener's host that can be opened. Without a host that is every
/// address of the machine, of both families where there are two.
pub(super) fn open<N: Net>(net: &N, listener: &Listener) -> io::Result<N::Listener> {
    let mut refused = None;
    for address in candidates(listener)? {
        match net.listen(address) {
            Ok(opened) => return Ok(opened),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| io::Error::other("the host has no address")))
}

/// What clients are told of a listener.
pub(super) fn info_of(listener: &Listener, config: &BrokerConfig) -> ListenerInfo {
    let mut advertised = config.advertised_listeners.iter();
    let advertised = advertised.find(|told| told.name == listener.name);
    ListenerInfo {
        name: listener.name.clone(),
        advertised: advertised.map(|told| Endpoint { host: told.host.clone(), port: told.port }),
    }
}

fn candidates(listener: &Listener) -> io::Result<Vec<SocketAddr>> {
    if listener.host.is_empty() {
        let wildcards = [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()];
        return Ok(wildcards.map(|wildcard| SocketAddr::new(wildcard, listener.port)).to_vec());
    }
    Ok((listener.host.as_str(), listener.port).to_socket_addrs()?.collect())
}
