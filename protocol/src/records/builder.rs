//! Makes batches.

use std::{error, fmt};

use bytes::{BufMut, Bytes};

use super::{
    Attributes, BatchError, BatchHeader, HEADER_BYTES, Header, LENGTH_PREFIX_BYTES, NO_SEQUENCE,
    Record, TimestampType, record::NULL_LENGTH, varint,
};
use crate::{
    compression::{CodecError, Compression},
    ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp},
};

/// Gathers records into one batch. The setters come before the first record.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    compression: Compression,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    attributes: Attributes,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: i32,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    append_time: Option<Timestamp>,
    last_offset: Option<Offset>,
    next_offset: Offset,
    record_count: i32,
    /// Room for the header, then the records.
    plain: Vec<u8>,
}

impl BatchBuilder {
    #[must_use]
    pub fn new(compression: impl Into<Compression>) -> Self {
        Self {
            compression: compression.into(),
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::UNKNOWN,
            attributes: Attributes::default(),
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: NO_SEQUENCE,
            base_timestamp: None,
            max_timestamp: Timestamp::NONE,
            append_time: None,
            last_offset: None,
            next_offset: Offset::ZERO,
            record_count: 0,
            plain: header_room(0),
        }
    }

    #[must_use]
    pub fn base_offset(mut self, offset: Offset) -> Self {
        self.base_offset = offset;
        self.next_offset = offset;
        self
    }

    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Makes the batch idempotent.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self, on: bool) -> Self {
        self.attributes = self.attributes.with_transactional(on);
        self
    }

    #[must_use]
    pub fn control(mut self, on: bool) -> Self {
        self.attributes = self.attributes.with_control(on);
        self
    }

    /// Stamps all records with the time of the append.
    #[must_use]
    pub fn log_append_time(mut self, time: Timestamp) -> Self {
        self.attributes = self.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.append_time = Some(time);
        self
    }

    /// Says when tombstones and markers in this batch may go (KIP-534).
    #[must_use]
    pub fn delete_horizon(mut self, horizon: Timestamp) -> Self {
        self.attributes = self.attributes.with_delete_horizon(true);
        self.base_timestamp = Some(horizon);
        self
    }

    /// Keeps the last offset that the batch had before records were dropped from it; the batch may
    /// then be empty.
    #[must_use]
    pub fn last_offset(mut self, offset: Offset) -> Self {
        self.last_offset = Some(offset);
        self
    }

    /// Keeps the time of a batch that lost its latest record, or all of them.
    #[must_use]
    pub fn max_timestamp(mut self, time: Timestamp) -> Self {
        self.max_timestamp = time;
        self
    }

    /// Adds a record at the offset after the previous one's.
    ///
    /// # Errors
    /// [`BuildError`]; the builder stays as it was.
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<Offset, BuildError> {
        let offset = self.next_offset;
        self.append_at(offset, timestamp, key, value, headers)?;
        Ok(offset)
    }

    /// Adds a record that has its offset already.
    ///
    /// # Errors
    /// As [`BatchBuilder::append`], and [`BuildError::BadOffset`] if offsets do not rise.
    pub fn append_record(&mut self, record: &Record) -> Result<(), BuildError> {
        let Record { offset, timestamp, key, value, headers } = record;
        self.append_at(*offset, *timestamp, key.as_deref(), value.as_deref(), headers)
    }

    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Bytes of the batch if it were built now without compression.
    #[must_use]
    pub fn plain_size(&self) -> usize {
        self.plain.len()
    }

    /// Compresses, seals and returns the batch.
    ///
    /// # Errors
    /// [`BuildError::Empty`] without a record, unless [`BatchBuilder::last_offset`] was given.
    pub fn build(self) -> Result<Bytes, BuildError> {
        let last = match (self.last_offset, self.record_count) {
            (Some(last), _) if last >= self.next_offset.plus(-1) => last,
            (Some(offset), _) => {
                return Err(BuildError::BadOffset { base: self.base_offset, offset });
            }
            (None, 0) => return Err(BuildError::Empty),
            (None, _) => self.next_offset.plus(-1),
        };
        let header = BatchHeader {
            base_offset: self.base_offset,
            length: 0,
            leader_epoch: self.leader_epoch,
            checksum: 0,
            attributes: self.attributes.with_codec(self.compression.codec()),
            last_offset_delta: self.delta(last)?,
            base_timestamp: self.base_timestamp.unwrap_or(Timestamp::NONE),
            max_timestamp: self.append_time.unwrap_or(self.max_timestamp),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.record_count,
        };
        if header.check_counts().is_err() {
            return Err(BuildError::BadOffset { base: self.base_offset, offset: last });
        }
        let batch = match self.plain.get(HEADER_BYTES..).unwrap_or_default() {
            // Nothing is not compressed, as nobody expects a codec's empty stream.
            [] => return Ok(seal(uncompressed(header), self.plain)?.1),
            _ if self.compression == Compression::default() => self.plain,
            records => {
                let mut batch = header_room(records.len() / 2);
                self.compression.compress_into(records, &mut batch)?;
                batch
            }
        };
        Ok(seal(header, batch)?.1)
    }

    fn append_at(
        &mut self,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), BuildError> {
        if offset < self.next_offset {
            return Err(BuildError::BadOffset { base: self.base_offset, offset });
        }
        let offset_delta = self.delta(offset)?;
        let base_timestamp = self.base_timestamp.unwrap_or(timestamp);
        let timestamp_delta = timestamp.0.checked_sub(base_timestamp.0);
        let timestamp_delta = timestamp_delta.ok_or(BuildError::BadTimestamp(timestamp))?;
        let record_count = self.record_count.checked_add(1).ok_or(BuildError::TooLarge)?;

        let mut size = 1 // attributes
            + varint::len_i64(timestamp_delta)
            + varint::len_i32(offset_delta)
            + nullable_len(key)?
            + nullable_len(value)?
            + varint::len_i32(length(headers.len())?);
        for header in headers {
            size += nullable_len(Some(&header.key))? + nullable_len(header.value.as_deref())?;
        }
        length(self.plain.len() + LENGTH_BYTES_MAX + size)?;
        let size = length(size)?;

        let into = &mut self.plain;
        varint::put_i32(into, size);
        into.put_u8(0);
        varint::put_i64(into, timestamp_delta);
        varint::put_i32(into, offset_delta);
        put_nullable(into, key)?;
        put_nullable(into, value)?;
        varint::put_i32(into, length(headers.len())?);
        for header in headers {
            put_nullable(into, Some(&header.key))?;
            put_nullable(into, header.value.as_deref())?;
        }

        self.base_timestamp = Some(base_timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.next_offset = offset.next();
        self.record_count = record_count;
        Ok(())
    }

    fn delta(&self, offset: Offset) -> Result<i32, BuildError> {
        // There must be an offset after this one.
        let delta = offset.0.checked_sub(self.base_offset.0).filter(|_| offset.0 < i64::MAX);
        delta
            .and_then(|delta| i32::try_from(delta).ok())
            .ok_or(BuildError::BadOffset { base: self.base_offset, offset })
    }
}

/// Why a batch cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// A batch needs a record.
    Empty,
    /// The offset does not follow the previous one, or is too far from the base.
    BadOffset {
        base: Offset,
        offset: Offset,
    },
    /// The timestamp is too far from the base timestamp.
    BadTimestamp(Timestamp),
    /// The batch would exceed 2 GiB.
    TooLarge,
    Codec(CodecError),
    /// The batch that was to be rebuilt cannot be read.
    Source(BatchError),
}

impl From<CodecError> for BuildError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl From<BatchError> for BuildError {
    fn from(error: BatchError) -> Self {
        Self::Source(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a batch needs a record"),
            Self::BadOffset { base, offset } => {
                write!(f, "offset {} cannot come next in a batch from {}", offset.0, base.0)
            }
            Self::BadTimestamp(time) => write!(f, "timestamp {} is out of range", time.0),
            Self::TooLarge => f.write_str("a batch holds less than 2 GiB"),
            Self::Codec(error) => error.fmt(f),
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl error::Error for BuildError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Codec(error) => Some(error),
            Self::Source(error) => Some(error),
            _ => None,
        }
    }
}

/// A buffer for a batch: room for the header, then, with room to grow, the body.
pub(super) fn header_room(body_len: usize) -> Vec<u8> {
    let mut batch = Vec::with_capacity(HEADER_BYTES + body_len);
    batch.resize(HEADER_BYTES, 0);
    batch
}

/// Writes `header`, with length and checksum set right, into the room in front of the body.
pub(super) fn seal(
    mut header: BatchHeader,
    mut batch: Vec<u8>,
) -> Result<(BatchHeader, Bytes), BuildError> {
    header.length = length(batch.len() - LENGTH_PREFIX_BYTES)?;
    if let Some((room, body)) = batch.split_first_chunk_mut() {
        header.checksum = crc32c::crc32c_append(header.partial_checksum(), body);
        *room = header.to_bytes();
    }
    Ok((header, batch.into()))
}

fn uncompressed(header: BatchHeader) -> BatchHeader {
    let attributes = header.attributes.with_codec(Compression::default().codec());
    BatchHeader { attributes, ..header }
}

fn length(len: usize) -> Result<i32, BuildError> {
    i32::try_from(len).map_err(|_| BuildError::TooLarge)
}

fn nullable_len(bytes: Option<&[u8]>) -> Result<usize, BuildError> {
    match bytes {
        None => Ok(varint::len_i32(NULL_LENGTH)),
        Some(bytes) => Ok(varint::len_i32(length(bytes.len())?) + bytes.len()),
    }
}

fn put_nullable(into: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BuildError> {
    match bytes {
        None => varint::put_i32(into, NULL_LENGTH),
        Some(bytes) => {
            varint::put_i32(into, length(bytes.len())?);
            into.put_slice(bytes);
        }
    }
    Ok(())
}

/// Bytes of the longest length in front of a record.
const LENGTH_BYTES_MAX: usize = 5;
