//! The machine's network.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};
use tokio::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use super::{Accept, Incoming, Net, Socket};
use crate::config::BrokerConfig;

/// Plain TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    pub tuning: Tuning,
}

/// What is set on every connection's socket; `None` leaves it to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    pub send_buffer_bytes: Option<usize>,
    pub receive_buffer_bytes: Option<usize>,
}

impl Tuning {
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        let bytes = |size: i32| usize::try_from(size).ok();
        Self {
            send_buffer_bytes: bytes(config.socket_send_buffer_bytes),
            receive_buffer_bytes: bytes(config.socket_receive_buffer_bytes),
        }
    }

    fn apply(self, socket: SockRef<'_>) -> io::Result<()> {
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }
}

impl Net for Tcp {
    type Listener = TcpListener;

    fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket =
            RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // The wildcard takes both families; nothing else is affected.
            socket.set_only_v6(false)?;
        }
        // The connections inherit the sizes: set later, they would not reach the handshake.
        self.tuning.apply(SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        self.tuning.apply(SockRef::from(&socket))?;
        Ok(socket)
    }
}

impl Accept for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, remote) = Self::accept(self).await?;
        // One that fails here is gone already, which its reader will notice.
        let _ = socket.set_nodelay(true);
        Ok((socket, remote))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

impl Socket for TcpStream {
    type Read = OwnedReadHalf;
    type Write = OwnedWriteHalf;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }

    fn into_halves(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }
}

impl Incoming for OwnedReadHalf {
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        // What went wrong is told by the read.
        self.as_ref().poll_read_ready(cx).map(|_| ())
    }
}

const BACKLOG: i32 = 1024;
