//! Listeners and connections.
//!
//! A connection is one task of two halves. One reads frames, starts a request for each and polls
//! it once, so that requests take effect in order of arrival; the other sends the answers in that
//! order, as they come. Nothing here knows an API. Whatever a peer sends, the memory it can take is
//! bounded by `limits`, and the worst that it can do is to lose its connection.

mod activity;
mod budget;
mod closed;
mod connection;
mod frames;
mod limits;
mod listener;
mod peers;
mod queue;
mod send;
mod spare;
mod stop;
mod tcp;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use milena_protocol::wire::Chunk;
use tokio::io::AsyncRead;

pub use limits::Limits;
pub use listener::Network;
pub use tcp::{Tcp, Tuning};

/// Where connections come from and go to: the machine's network, or a simulated one.
pub trait Net: Send + Sync + 'static {
    type Listener: Accept;

    /// Opens `address` for connections.
    ///
    /// # Errors
    /// Whatever the system reports, such as an address in use.
    fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener>;

    /// Opens a connection to another broker.
    fn connect(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<<Self::Listener as Accept>::Socket>> + Send;
}

/// An open address.
pub trait Accept: Send + Sync + 'static {
    type Socket: Socket;

    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;

    /// # Errors
    /// Whatever the system reports.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// One end of a connection.
pub trait Socket: Send + 'static {
    type Read: Incoming;
    type Write: Outgoing;

    /// # Errors
    /// Whatever the system reports, such as a connection that is gone already.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    fn into_halves(self) -> (Self::Read, Self::Write);
}

/// The receiving half.
pub trait Incoming: AsyncRead + Unpin + Send {
    /// Pending while it is known that there is nothing to read, so that nobody makes a buffer for
    /// it. Ready does not promise that there is.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The sending half. It knows best how bytes and files leave.
pub trait Outgoing: Send {
    /// Sends and removes of `chunks` as much as the peer takes at once, and tells how much: whoever
    /// has more to send calls again, and knows that the peer is alive.
    fn send(
        &mut self,
        chunks: &mut VecDeque<Chunk>,
    ) -> impl Future<Output = io::Result<usize>> + Send;
}
