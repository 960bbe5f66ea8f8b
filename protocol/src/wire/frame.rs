//! An outgoing frame as a list of chunks: bytes in memory, and ranges of files that are sent
//! without being read.

use std::{fmt, io, os::fd::BorrowedFd, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};

/// Something outside the frame that holds bytes to be sent: an open file. The storage crate
/// implements it; this crate never calls it.
pub trait Source: Send + Sync + fmt::Debug {
    /// Fills `buf` from `position`; an error if fewer bytes are there.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()>;

    /// The descriptor to send from with `sendfile`, where there is one.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// `len` bytes of `source` from `position`.
#[derive(Clone, Debug)]
pub struct Range {
    pub source: Arc<dyn Source>,
    pub position: u64,
    pub len: usize,
}

#[derive(Clone, Debug)]
pub enum Chunk {
    Bytes(Bytes),
    Range(Range),
}

impl Chunk {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.len,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A finished frame, length prefix included, ready for the socket.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Frame {
    /// Bytes that go on the wire, length prefix included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    #[must_use]
    pub fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }
}

/// Gathers an encoded structure. Short byte strings are copied, long ones and file ranges are
/// kept as chunks of their own.
#[derive(Debug, Default)]
pub struct FrameWriter {
    done: Vec<Chunk>,
    done_len: usize,
    tail: BytesMut,
}

impl FrameWriter {
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(SMALL_FRAME_BYTES)
    }

    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { tail: BytesMut::with_capacity(capacity), ..Self::default() }
    }

    /// Bytes gathered so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done_len + self.tail.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small fields are written.
    pub fn buf(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Adds a byte string that is shared rather than copied when it is long.
    pub fn put_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW_BYTES {
            self.tail.put_slice(&bytes);
        } else {
            self.put_chunk(Chunk::Bytes(bytes));
        }
    }

    pub fn put_range(&mut self, range: Range) {
        if range.len > 0 {
            self.put_chunk(Chunk::Range(range));
        }
    }

    /// Adds all that another writer gathered.
    pub fn append(&mut self, other: Self) {
        for chunk in other.done {
            match chunk {
                Chunk::Bytes(bytes) => self.put_bytes(bytes),
                Chunk::Range(range) => self.put_range(range),
            }
        }
        self.put_slice(&other.tail);
    }

    /// Ends the frame and puts its length, as the protocol's four bytes, in front.
    ///
    /// # Errors
    /// A frame of 2 GiB or more has no such length.
    pub fn finish(self) -> Result<Frame, std::num::TryFromIntError> {
        let prefix = i32::try_from(self.len())?.to_be_bytes();
        Ok(self.finish_with(Some(prefix)))
    }

    /// Ends a structure that is not a frame of its own: no length in front.
    #[must_use]
    pub fn finish_unframed(self) -> Frame {
        self.finish_with(None)
    }

    /// Ends a structure that holds no file ranges, as one slice: a record, rather than a message.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.done.is_empty() {
            return self.tail.freeze();
        }
        self.flush_tail();
        let mut all = BytesMut::with_capacity(self.done_len);
        for chunk in self.done {
            match chunk {
                Chunk::Bytes(bytes) => all.put_slice(&bytes),
                Chunk::Range(range) => debug_assert!(false, "{range:?} is not in memory"),
            }
        }
        all.freeze()
    }

    fn put_chunk(&mut self, chunk: Chunk) {
        self.flush_tail();
        self.done_len += chunk.len();
        self.done.push(chunk);
    }

    fn flush_tail(&mut self) {
        if !self.tail.is_empty() {
            self.done_len += self.tail.len();
            self.done.push(Chunk::Bytes(self.tail.split().freeze()));
        }
    }

    fn finish_with(mut self, prefix: Option<[u8; 4]>) -> Frame {
        self.flush_tail();
        if let Some(prefix) = prefix {
            // One small copy joins the prefix to the first chunk, so that a response without
            // records is a single buffer.
            match self.done.first_mut() {
                Some(Chunk::Bytes(first)) if first.len() < COPY_BELOW_BYTES => {
                    let mut joined = BytesMut::with_capacity(prefix.len() + first.len());
                    joined.put_slice(&prefix);
                    joined.put_slice(first);
                    *first = joined.freeze();
                }
                _ => self.done.insert(0, Chunk::Bytes(Bytes::copy_from_slice(&prefix))),
            }
            self.done_len += prefix.len();
        }
        Frame { chunks: self.done, len: self.done_len }
    }
}

/// Byte strings shorter than this are cheaper to copy than to send as a chunk of their own.
const COPY_BELOW_BYTES: usize = 4096;
const SMALL_FRAME_BYTES: usize = 256;
