//! Many requests in flight on one connection, at little cost each.

use std::{io, marker::PhantomData};

use bytes::{Buf, Bytes, BytesMut};
use milena_protocol::wire::{
    Chunk, FrameWriter, Message, Request,
    header::{RequestHeader, ResponseHeader},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use super::{
    ClientError,
    connection::{CLIENT_ID, FRAME_BYTES_MAX},
};

/// A request as it goes on the wire, encoded once and sent any number of times.
#[derive(Clone, Debug)]
pub struct Prepared<R> {
    frame: Vec<u8>,
    version: i16,
    of: PhantomData<R>,
}

impl<R: Request> Prepared<R> {
    /// `version` is what [`Connection::version_of`] tells.
    ///
    /// [`Connection::version_of`]: super::Connection::version_of
    ///
    /// # Errors
    /// [`ClientError::Unsendable`]: the request is too large, or its records are not in memory.
    pub fn new(request: &R, version: i16) -> Result<Self, ClientError> {
        let unsendable = |reason: &str| ClientError::Unsendable { reason: reason.to_owned() };
        let mut writer = FrameWriter::new();
        let header = RequestHeader {
            api_key: R::KEY.number(),
            api_version: version,
            correlation_id: 0,
            client_id: Some(CLIENT_ID.into()),
        };
        header.encode(&mut writer);
        request.encode(&mut writer, R::version(version));
        let encoded = writer.finish().map_err(|_| unsendable("larger than 2 GiB"))?;
        let mut frame = Vec::with_capacity(encoded.len());
        for chunk in encoded.chunks() {
            match chunk {
                Chunk::Bytes(bytes) => frame.extend_from_slice(bytes),
                Chunk::Range(_) => return Err(unsendable("records that are in a file")),
            }
        }
        Ok(Self { frame, version, of: PhantomData })
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        self.frame.len()
    }

    #[must_use]
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The answers to two requests belong together by this number.
    fn number(&mut self, correlation_id: i32) {
        if let Some(place) = self.frame.get_mut(CORRELATION_ID_AT) {
            place.copy_from_slice(&correlation_id.to_be_bytes());
        }
    }
}

/// The half that requests are written to.
#[derive(Debug)]
pub struct Sender {
    address: String,
    socket: OwnedWriteHalf,
    sent: i32,
}

impl Sender {
    pub(super) fn new(address: String, socket: OwnedWriteHalf) -> Self {
        Self { address, socket, sent: 0 }
    }

    /// Returns once all of it is handed to the system. To be finished once begun: half a request
    /// cannot be taken back.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn send<R: Request>(&mut self, request: &mut Prepared<R>) -> Result<(), ClientError> {
        request.number(self.sent);
        self.sent = self.sent.wrapping_add(1);
        let written = self.socket.write_all(&request.frame).await;
        written.map_err(|source| ClientError::Broken { address: self.address.clone(), source })
    }
}

/// The half that answers are read from, in the order of the requests.
#[derive(Debug)]
pub struct Receiver {
    address: String,
    socket: OwnedReadHalf,
    buffer: BytesMut,
    received: i32,
}

impl Receiver {
    pub(super) fn new(address: String, socket: OwnedReadHalf) -> Self {
        Self { address, socket, buffer: BytesMut::new(), received: 0 }
    }

    /// Waits for the answer to the oldest request that has none, which was of this kind and
    /// version. What has come of it is kept if the wait is given up.
    ///
    /// # Errors
    /// [`ClientError::Broken`], [`ClientError::Malformed`]; the connection is of no more use.
    pub async fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response, ClientError> {
        let mut body = match self.frame().await {
            Ok(body) => body,
            Err(source) => return Err(self.broken(source)),
        };
        let malformed = |source| ClientError::Malformed { api: R::KEY, source };
        let header = ResponseHeader::decode(&mut body, R::KEY, version).map_err(malformed)?;
        if header.correlation_id != self.received {
            return Err(self.broken(io::Error::other("an answer to another request")));
        }
        self.received = self.received.wrapping_add(1);
        R::Response::decode_body(body, version).map_err(malformed)
    }

    async fn frame(&mut self) -> io::Result<Bytes> {
        loop {
            let want = match self.buffer.first_chunk::<LENGTH_BYTES>() {
                None => READ_BYTES,
                Some(&claimed) => {
                    let length = length_of(claimed)?;
                    if self.buffer.len() >= LENGTH_BYTES + length {
                        self.buffer.advance(LENGTH_BYTES);
                        return Ok(self.buffer.split_to(length).freeze());
                    }
                    LENGTH_BYTES + length
                }
            };
            self.buffer.reserve(want.saturating_sub(self.buffer.len()).max(READ_BYTES));
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { address: self.address.clone(), source }
    }
}

fn length_of(claimed: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    let claimed = i32::from_be_bytes(claimed);
    usize::try_from(claimed).ok().filter(|&length| length <= FRAME_BYTES_MAX).ok_or_else(|| {
        let text = format!("a frame of {claimed} bytes, more than {FRAME_BYTES_MAX}");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

const LENGTH_BYTES: usize = 4;
/// Behind the length, the API's key and its version.
const CORRELATION_ID_AT: std::ops::Range<usize> = 8..12;
/// Room for what else came with an answer.
const READ_BYTES: usize = 4 << 10;
