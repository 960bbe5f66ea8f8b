//! The record batches inside a message: a list of chunks that are passed on, not looked into.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{Chunk, FrameWriter, Malformed, Nullable, Range, Version, array};

/// Zero or more record batches, in memory or in files. What was decoded is one slice of the
/// frame; what is to be encoded may be any number of chunks, none of which is copied.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Apart from the others so that a single chunk, the common case, takes no memory.
    first: Option<Chunk>,
    rest: Vec<Chunk>,
    len: usize,
}

impl Records {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a chunk at the end. An empty one is dropped.
    pub fn push(&mut self, chunk: impl Into<Chunk>) {
        let chunk = chunk.into();
        if chunk.is_empty() {
            return;
        }
        self.len += chunk.len();
        if self.first.is_none() {
            self.first = Some(chunk);
        } else {
            self.rest.push(chunk);
        }
    }

    /// Bytes in all chunks.
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

    /// The bytes, if all of them are one slice of memory: always so after decoding.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match (&self.first, self.rest.is_empty()) {
            (None, _) => Some(&EMPTY),
            (Some(Chunk::Bytes(bytes)), true) => Some(bytes),
            _ => None,
        }
    }

    /// Gathers everything in memory, reading what is in files.
    ///
    /// # Errors
    /// Whatever the files report.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        if let Some(bytes) = self.as_bytes() {
            return Ok(bytes.clone());
        }
        let mut all = BytesMut::with_capacity(self.len);
        for chunk in self.chunks() {
            match chunk {
                Chunk::Bytes(bytes) => all.extend_from_slice(bytes),
                Chunk::Range(range) => {
                    let mut read = vec![0; range.len];
                    range.source.read_exact_at(&mut read, range.position)?;
                    all.extend_from_slice(&read);
                }
            }
        }
        Ok(all.freeze())
    }
}

impl Nullable for Records {
    fn decode_nullable(src: &mut Bytes, v: Version) -> Result<Option<Self>, Malformed> {
        Ok(Bytes::decode_nullable(src, v)?.map(Self::from))
    }

    fn encode_nullable(value: Option<&Self>, dst: &mut FrameWriter, v: Version) {
        array::write_length(dst, v, value.map(Self::len));
        for chunk in value.iter().flat_map(|records| records.chunks()) {
            match chunk {
                Chunk::Bytes(bytes) => dst.put_bytes(bytes.clone()),
                Chunk::Range(range) => dst.put_range(range.clone()),
            }
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        let mut records = Self::new();
        records.push(bytes);
        records
    }
}

impl From<Range> for Records {
    fn from(range: Range) -> Self {
        let mut records = Self::new();
        records.push(range);
        records
    }
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Range> for Chunk {
    fn from(range: Range) -> Self {
        Self::Range(range)
    }
}

/// Chunk by chunk: the same bytes cut differently, or in another file, are not equal.
impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.chunks().eq(other.chunks())
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Range(one), Self::Range(two)) => {
                Arc::ptr_eq(&one.source, &two.source)
                    && (one.position, one.len) == (two.position, two.len)
            }
            _ => false,
        }
    }
}

static EMPTY: Bytes = Bytes::new();

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use super::*;
    use crate::wire::{Source, Wire};

    #[derive(Debug)]
    struct Memory(&'static [u8]);

    impl Source for Memory {
        fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
            let from = usize::try_from(position).unwrap();
            buf.copy_from_slice(&self.0[from..from + buf.len()]);
            Ok(())
        }

        fn fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }
    }

    fn mixed() -> Records {
        let source = Arc::new(Memory(b"0123456789"));
        let mut records = Records::from(Range { source, position: 2, len: 3 });
        records.push(Bytes::from_static(b"tail"));
        records
    }

    #[test]
    fn a_range_is_counted_but_not_read_when_it_is_encoded() {
        let mut dst = FrameWriter::new();
        mixed().encode(&mut dst, Version { number: 0, flexible: false });
        let frame = dst.finish_unframed();
        assert_eq!(frame.len(), 4 + 3 + 4);
        let chunks: Vec<&Chunk> = frame.chunks().collect();
        assert!(matches!(chunks[..], [Chunk::Bytes(_), Chunk::Range(_), Chunk::Bytes(_)]));
    }

    #[test]
    fn chunks_are_gathered_in_order() {
        assert_eq!(mixed().as_bytes(), None);
        assert_eq!(mixed().to_bytes().unwrap(), "234tail");
        assert_eq!(Records::new().as_bytes(), Some(&Bytes::new()));
    }

    #[test]
    fn decoded_records_are_a_slice_of_their_frame() {
        let frame = Bytes::from_static(b"\0\0\0\x05batch");
        let records =
            Records::decode(&mut frame.clone(), Version { number: 0, flexible: false }).unwrap();
        assert_eq!(records.as_bytes().unwrap().as_ptr(), frame[4..].as_ptr());
    }
}
