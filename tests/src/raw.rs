//! A client that sends what it is told to, right or wrong.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use milena_protocol::wire::{
    Chunk, FrameWriter, Message, Request, Str,
    header::{RequestHeader, ResponseHeader},
};
use rustix::net::sockopt::set_socket_linger;

use crate::wait::PATIENCE;

/// One connection. Unless told otherwise it waits for a minute, then the test fails.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl RawClient {
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("connect to the broker")
    }

    /// # Errors
    /// Nobody listens.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, next_correlation_id: 1 };
        client.set_patience(PATIENCE);
        Ok(client)
    }

    /// How long to wait for the broker to read, or to answer.
    ///
    /// # Panics
    /// If the system does not take it.
    pub fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("set an option");
        self.stream.set_write_timeout(Some(patience)).expect("set an option");
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The broker has closed the connection, or reads no more.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// # Panics
    /// As [`RawClient::try_send`] fails.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("send to the broker");
    }

    /// Sends a request and returns the id that its answer will carry.
    pub fn start<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.send(&request_frame(correlation_id, version, request));
        correlation_id
    }

    /// Reads the next answer, which must be the one to `correlation_id`.
    ///
    /// # Panics
    /// If it is not, or cannot be read whole.
    pub fn finish<R: Request>(&mut self, version: i16, correlation_id: i32) -> R::Response {
        self.try_finish::<R>(version, correlation_id).expect("an answer")
    }

    /// As [`RawClient::finish`]; `None` if the broker has closed the connection instead.
    ///
    /// # Panics
    /// If it does anything else.
    pub fn try_finish<R: Request>(
        &mut self,
        version: i16,
        correlation_id: i32,
    ) -> Option<R::Response> {
        let mut frame = self.read_frame()?;
        let header = ResponseHeader::decode(&mut frame, R::KEY, version).expect("a header");
        assert_eq!(header.correlation_id, correlation_id, "answers are in order");
        Some(R::Response::decode_body(frame, version).expect("a body"))
    }

    /// As [`RawClient::ask`]; `None` if the connection ends instead.
    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.try_send(&request_frame(correlation_id, version, request)).ok()?;
        self.try_finish::<R>(version, correlation_id)
    }

    /// Sends a request and reads its answer.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.start(version, request);
        self.finish::<R>(version, correlation_id)
    }

    /// The next frame without its length; `None` once the broker has closed the connection, be it
    /// within a frame.
    ///
    /// # Panics
    /// If neither happens in time.
    #[must_use]
    pub fn read_frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length");
        let mut body = vec![0; length];
        // One that is killed may end within an answer.
        self.fill(&mut body).then(|| body.into())
    }

    /// Asserts that the broker closes the connection without another word.
    ///
    /// # Panics
    /// If it does not.
    pub fn expect_closed(&mut self, why: &str) {
        let mut byte = [0; 1];
        assert!(!self.fill(&mut byte), "answered instead of closing: {why}");
    }

    /// Ends the connection by a reset: what was sent and not yet read is lost.
    ///
    /// # Panics
    /// If the system does not take it.
    pub fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("set an option");
    }

    /// False if the connection ended first.
    fn fill(&mut self, buf: &mut [u8]) -> bool {
        match self.stream.read_exact(buf) {
            Ok(()) => true,
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => false,
                _ => panic!("the broker neither answers nor closes: {error}"),
            },
        }
    }
}

/// `body` with its length in front.
///
/// # Panics
/// For a body of 2 GiB.
#[must_use]
pub fn frame(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).expect("a length");
    [&length.to_be_bytes()[..], body].concat()
}

/// A whole request as it goes on the wire.
///
/// # Panics
/// For a request that no frame can hold.
#[must_use]
pub fn request_frame<R: Request>(correlation_id: i32, version: i16, request: &R) -> Vec<u8> {
    let mut writer = FrameWriter::new();
    let client_id = Some(Str::from_static("raw"));
    let api_key = R::KEY.number();
    RequestHeader { api_key, api_version: version, correlation_id, client_id }.encode(&mut writer);
    request.encode(&mut writer, <R as Message>::version(version));
    let chunks = writer.finish().expect("a frame").into_chunks();
    chunks.fold(Vec::new(), |mut bytes, chunk| {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(&part),
            Chunk::Range(range) => panic!("a request with a range of a file: {range:?}"),
        }
        bytes
    })
}
