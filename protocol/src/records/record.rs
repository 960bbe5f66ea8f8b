//! The records inside a batch.

use std::borrow::Cow;

use bytes::Bytes;

use super::{BatchError, BatchHeader, RecordFault, TimestampType, varint};
use crate::ids::{Offset, Timestamp};

/// One record. Key, value and headers share the batch's bytes and keep them alive.
///
/// | field           | type    | meaning                                  |
/// |-----------------|---------|------------------------------------------|
/// | length          | varint  | of all that follows                      |
/// | attributes      | byte    | unused                                   |
/// | timestamp delta | varlong | from the batch's base timestamp          |
/// | offset delta    | varint  | from the batch's base offset             |
/// | key             | varint, bytes | length -1 for null                 |
/// | value           | varint, bytes | length -1 for null                 |
/// | headers         | varint, then each a key and a nullable value in the same form |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// A record's header (KIP-82). Keys are meant to be UTF-8, but nothing on the way checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

impl Header {
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.key)
    }
}

/// The records of one batch; the first error is the last item.
#[derive(Clone, Debug)]
pub struct RecordIter {
    plain: Bytes,
    at: usize,
    read: i32,
    declared: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
    append_time: Option<Timestamp>,
    last_offset_delta: i32,
    previous_delta: i32,
    ended: bool,
}

impl RecordIter {
    pub(super) fn new(header: &BatchHeader, plain: Bytes) -> Self {
        let stamped = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Self {
            plain,
            at: 0,
            read: 0,
            declared: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time: stamped.then_some(header.max_timestamp),
            last_offset_delta: header.last_offset_delta,
            previous_delta: -1,
            ended: false,
        }
    }

    /// Bytes of all records, inflated.
    #[must_use]
    pub fn plain_size(&self) -> usize {
        self.plain.len()
    }

    fn step(&mut self) -> Result<Option<Record>, BatchError> {
        let rest = self.plain.get(self.at..).unwrap_or_default();
        if self.read == self.declared {
            return if rest.is_empty() {
                Ok(None)
            } else {
                Err(BatchError::TrailingBytes(rest.len()))
            };
        }
        if rest.is_empty() {
            let Self { declared, read: found, .. } = *self;
            return Err(BatchError::MissingRecords { declared, found });
        }
        let index = self.read;
        let parsed = Parsed::read(rest).and_then(|parsed| self.place(&parsed));
        let (record, consumed, delta) =
            parsed.map_err(|fault| BatchError::Record { index, fault })?;
        self.at += consumed;
        self.read += 1;
        self.previous_delta = delta;
        Ok(Some(record))
    }

    /// The record that `parsed` is in this batch, its size and its offset delta.
    fn place(&self, parsed: &Parsed<'_>) -> Result<(Record, usize, i32), RecordFault> {
        let delta = parsed.offset_delta;
        if delta <= self.previous_delta || delta > self.last_offset_delta {
            return Err(RecordFault::BadOffsetDelta(delta));
        }
        let created = self.base_timestamp.0.checked_add(parsed.timestamp_delta);
        let created = created.ok_or(RecordFault::BadTimestampDelta(parsed.timestamp_delta))?;
        let share = |bytes: &[u8]| self.plain.slice_ref(bytes);
        let record = Record {
            offset: self.base_offset.plus(i64::from(delta)),
            timestamp: self.append_time.unwrap_or(Timestamp(created)),
            key: parsed.key.map(share),
            value: parsed.value.map(share),
            headers: parsed.headers(share)?,
        };
        Ok((record, parsed.size, delta))
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.step().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A count in a header is a claim; no memory is taken on the strength of it.
        (0, usize::try_from(self.declared - self.read).ok().map(|left| left + 1))
    }
}

/// One record as it stands in the batch, its headers still to be read.
struct Parsed<'a> {
    size: usize,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    header_count: i32,
    headers: &'a [u8],
}

impl<'a> Parsed<'a> {
    fn read(src: &'a [u8]) -> Result<Self, RecordFault> {
        let mut rest = src;
        let mut fields = read_bytes(&mut rest)?;
        let size = src.len() - rest.len();
        let (_attributes, after) = fields.split_first().ok_or(RecordFault::BadLength(0))?;
        fields = after;
        Ok(Self {
            size,
            timestamp_delta: varint::read_i64(&mut fields).ok_or(RecordFault::BadVarint)?,
            offset_delta: varint::read_i32(&mut fields).ok_or(RecordFault::BadVarint)?,
            key: read_nullable(&mut fields)?,
            value: read_nullable(&mut fields)?,
            header_count: varint::read_i32(&mut fields).ok_or(RecordFault::BadVarint)?,
            headers: fields,
        })
    }

    fn headers(&self, share: impl Fn(&[u8]) -> Bytes) -> Result<Vec<Header>, RecordFault> {
        let mut rest = self.headers;
        let room = (rest.len() / HEADER_BYTES_MIN).min(HEADERS_MAX);
        let count = usize::try_from(self.header_count).ok().filter(|&count| count <= room);
        let count = count.ok_or(RecordFault::BadHeaderCount(self.header_count))?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let key = share(read_bytes(&mut rest)?);
            headers.push(Header { key, value: read_nullable(&mut rest)?.map(&share) });
        }
        if rest.is_empty() { Ok(headers) } else { Err(RecordFault::TrailingBytes(rest.len())) }
    }
}

fn read_bytes<'a>(src: &mut &'a [u8]) -> Result<&'a [u8], RecordFault> {
    read_nullable(src)?.ok_or(RecordFault::BadLength(NULL_LENGTH))
}

fn read_nullable<'a>(src: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordFault> {
    let length = varint::read_i32(src).ok_or(RecordFault::BadVarint)?;
    if length == NULL_LENGTH {
        return Ok(None);
    }
    let split = usize::try_from(length).ok().and_then(|length| src.split_at_checked(length));
    let (bytes, rest) = split.ok_or(RecordFault::BadLength(length))?;
    *src = rest;
    Ok(Some(bytes))
}

/// The length of a null key or value.
pub(super) const NULL_LENGTH: i32 = -1;
/// Headers of one record. Kafka has no limit; but one takes two bytes in a batch, which compress to
/// nothing, and many more in memory.
pub(super) const HEADERS_MAX: usize = 100_000;
/// The length of an empty key and that of a value.
const HEADER_BYTES_MIN: usize = 2;
