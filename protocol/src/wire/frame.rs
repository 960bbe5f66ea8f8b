//! An outgoing frame as a list of chunks: bytes in memory, and ranges of files that are sent
//! without being read.

use std::{fmt, io, os::fd::BorrowedFd, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};

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
    /// Apart from the others so that a single chunk, the common case, takes no memory.
    first: Option<Chunk>,
    rest: Vec<Chunk>,
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

    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.first.iter().chain(&self.rest)
    }

    pub fn into_chunks(self) -> impl Iterator<Item = Chunk> {
        self.first.into_iter().chain(self.rest)
    }
}

/// Gathers an encoded structure. Short byte strings are copied, long ones and file ranges are
/// kept as chunks of their own.
#[derive(Debug)]
pub struct FrameWriter {
    /// What came before the first chunk of its own, with room for the frame's length in front.
    head: BytesMut,
    /// Chunks behind the head.
    done: Vec<Chunk>,
    done_len: usize,
    /// What came last; begins with the room for the length while there is no head.
    tail: BytesMut,
}

impl Default for FrameWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameWriter {
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(SMALL_FRAME_BYTES)
    }

    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut tail = BytesMut::with_capacity(LENGTH_ROOM.len() + capacity);
        tail.put_slice(&LENGTH_ROOM);
        Self { head: BytesMut::new(), done: Vec::new(), done_len: 0, tail }
    }

    /// Bytes gathered so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.done_len + self.tail.len() - LENGTH_ROOM.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small fields are written, behind what is not theirs to read.
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
        for chunk in other.finish_unframed().into_chunks() {
            match chunk {
                Chunk::Bytes(bytes) => self.put_bytes(bytes),
                Chunk::Range(range) => self.put_range(range),
            }
        }
    }

    /// Ends the frame and puts its length, as the protocol's four bytes, in front.
    ///
    /// # Errors
    /// A frame of 2 GiB or more has no such length.
    pub fn finish(mut self) -> Result<Frame, std::num::TryFromIntError> {
        let length = i32::try_from(self.len())?;
        let first = if self.head.is_empty() { &mut self.tail } else { &mut self.head };
        if let Some(room) = first.first_chunk_mut() {
            *room = length.to_be_bytes();
        }
        Ok(self.into_frame())
    }

    /// Ends a structure that is not a frame of its own: no length in front.
    #[must_use]
    pub fn finish_unframed(mut self) -> Frame {
        self.drop_room();
        self.into_frame()
    }

    /// Ends a structure that holds no file ranges, as one slice: a record, rather than a message.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        self.drop_room();
        if self.done.is_empty() {
            return self.tail.freeze();
        }
        let frame = self.into_frame();
        let mut all = BytesMut::with_capacity(frame.len);
        for chunk in frame.into_chunks() {
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
        if self.done.is_empty() {
            // It stays writable, for the length.
            self.head = self.tail.split();
        } else if !self.tail.is_empty() {
            self.done_len += self.tail.len();
            self.done.push(Chunk::Bytes(self.tail.split().freeze()));
        }
    }

    fn drop_room(&mut self) {
        let first = if self.head.is_empty() { &mut self.tail } else { &mut self.head };
        first.advance(LENGTH_ROOM.len());
    }

    fn into_frame(mut self) -> Frame {
        if self.done.is_empty() {
            self.head = self.tail;
        } else {
            self.flush_tail();
        }
        let len = self.head.len() + self.done_len;
        let first = (!self.head.is_empty()).then(|| Chunk::Bytes(self.head.freeze()));
        Frame { first, rest: self.done, len }
    }
}

/// Where a frame's length will stand.
const LENGTH_ROOM: [u8; 4] = [0; 4];
/// Byte strings shorter than this are cheaper to copy than to send as a chunk of their own.
const COPY_BELOW_BYTES: usize = 4096;
const SMALL_FRAME_BYTES: usize = 256;
