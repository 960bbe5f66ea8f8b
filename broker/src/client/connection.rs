//! One connection to one broker: a request at a time, at the newest version both sides know.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::{Bytes, BytesMut};
use milena_protocol::{
    ErrorCode,
    messages::{ApiVersionsRequest, ApiVersionsResponse, ProduceRequest},
    wire::{
        Chunk, Frame, FrameWriter, Message, Request,
        header::{RequestHeader, ResponseHeader},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{ClientError, Receiver, Sender};

/// Versions that the broker serves, by API key.
type Served = BTreeMap<i16, (i16, i16)>;

/// A connection that has asked the broker which versions it serves.
#[derive(Debug)]
pub struct Connection {
    address: String,
    stream: TcpStream,
    served: Served,
    correlation_id: i32,
    limit: Duration,
}

impl Connection {
    /// Connects and negotiates; `limit` bounds this and every later call.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], or any error of the negotiation.
    pub async fn open(address: &str, limit: Duration) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::Unreachable { address: address.to_owned(), source };
        let stream = timeout(limit, TcpStream::connect(address))
            .await
            .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let mut connection = Self {
            address: address.to_owned(),
            stream,
            served: Served::new(),
            correlation_id: 0,
            limit,
        };
        connection.served = connection.negotiate().await?;
        Ok(connection)
    }

    /// The newest version of `R` that both sides know.
    ///
    /// # Errors
    /// [`ClientError::NoCommonVersion`].
    pub fn version_of<R: Request>(&self) -> Result<i16, ClientError> {
        let none = ClientError::NoCommonVersion { api: R::KEY };
        let Some(&(min, max)) = self.served.get(&(R::KEY as i16)) else { return Err(none) };
        let version = max.min(*R::VERSIONS.end());
        if version < min.max(*R::VERSIONS.start()) { Err(none) } else { Ok(version) }
    }

    /// Sends the request and waits for its answer, at the newest common version.
    ///
    /// # Errors
    /// Everything but [`ClientError::Unreachable`] and [`ClientError::Refused`]: error codes
    /// inside the answer are the caller's to read.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>()?;
        self.call_at(request, version, self.limit).await
    }

    /// As [`Connection::call`], but at no newer version than this.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_up_to<R: Request>(
        &mut self,
        request: &R,
        newest: i16,
    ) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>()?.min(newest);
        self.call_at(request, version, self.limit).await
    }

    /// As [`Connection::call`] for a request that the broker itself may hold back for `held`.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_held<R: Request>(
        &mut self,
        request: &R,
        held: Duration,
    ) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>()?;
        self.call_at(request, version, self.limit.saturating_add(held)).await
    }

    /// Sends a produce request that asks for no acknowledgement, and so gets no answer.
    ///
    /// # Errors
    /// [`ClientError::NoCommonVersion`], [`ClientError::Broken`], [`ClientError::TimedOut`].
    pub async fn send_unacknowledged(
        &mut self,
        request: &ProduceRequest,
    ) -> Result<(), ClientError> {
        let version = self.version_of::<ProduceRequest>()?;
        let frame = self.encode(request, version)?;
        let (limit, address) = (self.limit, self.address.clone());
        match timeout(limit, self.write(frame)).await {
            Ok(written) => written.map_err(|source| ClientError::Broken { address, source }),
            Err(_) => Err(ClientError::TimedOut { address, after: limit }),
        }
    }

    /// Gives up one request at a time for many in flight.
    #[must_use]
    pub fn into_pipeline(self) -> (Sender, Receiver) {
        let (incoming, outgoing) = self.stream.into_split();
        (Sender::new(self.address.clone(), outgoing), Receiver::new(self.address, incoming))
    }

    async fn negotiate(&mut self) -> Result<Served, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: CLIENT_ID.into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..ApiVersionsRequest::default()
        };
        let newest = *ApiVersionsRequest::VERSIONS.end();
        // An older broker answers in version 0, whatever it was asked, with this error (KIP-511).
        let mut answer = self.call_at(&request, newest, self.limit).await;
        if !matches!(&answer, Ok(answer) if answer.error_code == ErrorCode::None) {
            answer = self.call_at(&request, 0, self.limit).await;
        }
        let answer: ApiVersionsResponse = answer?;
        ClientError::check("ApiVersions", answer.error_code, None)?;
        Ok(answer
            .api_keys
            .iter()
            .map(|range| (range.api_key, (range.min_version, range.max_version)))
            .collect())
    }

    async fn call_at<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        let frame = self.encode(request, version)?;
        let correlation_id = self.correlation_id;
        let address = self.address.clone();
        let exchanged = timeout(limit, async {
            self.write(frame).await?;
            self.read_frame().await
        })
        .await;
        let mut body = match exchanged {
            Ok(Ok(body)) => body,
            Ok(Err(source)) => return Err(ClientError::Broken { address, source }),
            Err(_) => return Err(ClientError::TimedOut { address, after: limit }),
        };
        let malformed = |source| ClientError::Malformed { api: R::KEY, source };

        let header = ResponseHeader::decode(&mut body, R::KEY, version).map_err(malformed)?;
        if header.correlation_id != correlation_id {
            let source = io::Error::other("an answer to another request");
            return Err(ClientError::Broken { address, source });
        }
        R::Response::decode_body(body, version).map_err(malformed)
    }

    fn encode<R: Request>(&mut self, request: &R, version: i16) -> Result<Frame, ClientError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader {
            api_key: R::KEY as i16,
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(CLIENT_ID.into()),
        };
        let mut writer = FrameWriter::new();
        header.encode(&mut writer);
        request.encode(&mut writer, R::version(version));
        writer
            .finish()
            .map_err(|_| ClientError::Unsendable { reason: "larger than 2 GiB".to_owned() })
    }

    async fn write(&mut self, frame: Frame) -> io::Result<()> {
        for chunk in frame.into_chunks() {
            match chunk {
                Chunk::Bytes(bytes) => self.stream.write_all(&bytes).await?,
                Chunk::Range(range) => {
                    let mut bytes = vec![0; range.len];
                    range.source.read_exact_at(&mut bytes, range.position)?;
                    self.stream.write_all(&bytes).await?;
                }
            }
        }
        Ok(())
    }

    async fn read_frame(&mut self) -> io::Result<Bytes> {
        let claimed = self.stream.read_i32().await?;
        let length = usize::try_from(claimed).ok().filter(|&length| length <= FRAME_BYTES_MAX);
        let Some(length) = length else {
            let text = format!("a frame of {claimed} bytes, more than {FRAME_BYTES_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        };
        // Grows with what arrives, not with what was claimed.
        let mut body = BytesMut::new();
        let mut rest = (&mut self.stream).take(length as u64);
        while body.len() < length {
            if rest.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(body.freeze())
    }
}

pub(super) const CLIENT_ID: &str = "milena";
pub(super) const FRAME_BYTES_MAX: usize = 256 << 20;
