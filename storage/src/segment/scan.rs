//! Steps over the batches of a file by their headers, without reading what is in them.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use milena_protocol::{
    Offset,
    records::{Batch, BatchError, BatchHeader, HEADER_BYTES},
};

use crate::fs::File;

/// One batch in a file.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl Located {
    /// Where the next batch starts.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    /// No batch starts at `position`.
    Bad {
        position: u64,
        what: BatchError,
    },
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// From a position where a batch starts to an end where one ends.
pub(crate) struct Scan<'a> {
    file: &'a dyn File,
    position: u64,
    end: u64,
    buffer: [u8; BUFFER_BYTES],
    /// The part of the file that the buffer holds.
    held: std::ops::Range<u64>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(file: &'a dyn File, from: u64, end: u64) -> Self {
        Self { file, position: from, end, buffer: [0; BUFFER_BYTES], held: 0..0 }
    }

    /// The batch at the current position; the position moves behind it. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Located>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let bad = |what| ScanError::Bad { position, what };
        let header = BatchHeader::read(self.header_bytes()?).map_err(bad)?;
        let located = Located { position, header };
        if located.end() > self.end {
            let have = usize::try_from(self.end - position).unwrap_or(usize::MAX);
            return Err(bad(BatchError::Truncated { have, need: located.header.size() }));
        }
        self.position = located.end();
        Ok(Some(located))
    }

    /// The header at the current position, which stays; `None` also where no batch starts.
    pub(crate) fn peek(&mut self) -> Option<BatchHeader> {
        let position = self.position;
        let next = self.next().ok().flatten();
        self.position = position;
        next.map(|batch| batch.header)
    }

    /// The first batch, from the current position on, that ends at or behind `offset`.
    pub(crate) fn find(&mut self, offset: Offset) -> Result<Option<Located>, ScanError> {
        while let Some(batch) = self.next()? {
            if batch.header.last_offset() >= offset {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        let wanted = self.position..self.end.min(self.position + HEADER_BYTES as u64);
        if wanted.start < self.held.start || wanted.end > self.held.end {
            let read = self.file.read_at(&mut self.buffer, self.position)?;
            self.held = self.position..self.position + read as u64;
        }
        let from = usize::try_from(wanted.start - self.held.start).unwrap_or(usize::MAX);
        let to = usize::try_from(wanted.end.min(self.held.end) - self.held.start);
        Ok(self.buffer.get(from..to.unwrap_or(usize::MAX)).unwrap_or_default())
    }
}

/// The same, but reads every batch whole and checks it.
#[derive(Debug)]
pub(crate) struct WholeScan {
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    /// What was read from the current position on.
    held: Bytes,
}

impl WholeScan {
    pub(crate) fn new(file: Arc<dyn File>, from: u64, end: u64) -> Self {
        Self { file, position: from, end, held: Bytes::new() }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The batch at the current position; the position moves behind it. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, ScanError> {
        while self.position < self.end {
            let left = self.end - self.position;
            match Batch::split(&mut self.held) {
                Ok(batch) => {
                    self.position += batch.size() as u64;
                    return Ok(Some(batch));
                }
                Err(BatchError::Truncated { need, .. })
                    if need as u64 <= left && (self.held.len() as u64) < left =>
                {
                    self.fill(left.min(need.max(CHUNK_BYTES) as u64))?;
                }
                Err(what) => return Err(ScanError::Bad { position: self.position, what }),
            }
        }
        Ok(None)
    }

    fn fill(&mut self, len: u64) -> io::Result<()> {
        let mut chunk = BytesMut::zeroed(usize::try_from(len).map_err(io::Error::other)?);
        self.file.read_exact_at(&mut chunk, self.position)?;
        self.held = chunk.freeze();
        Ok(())
    }
}

/// Whole batches are read this many bytes at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Holds the headers of small neighbours, and is no burden where batches are large.
const BUFFER_BYTES: usize = 4096;
