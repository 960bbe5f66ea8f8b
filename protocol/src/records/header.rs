//! The fixed part of a batch.

use bytes::{Buf, BufMut};

use super::BatchError;
use crate::{
    compression::{Codec, CodecError},
    ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp},
};

/// The header of a v2 batch (KIP-98), as numbers. All are big-endian.
///
/// | bytes  | field             | meaning                                                |
/// |--------|-------------------|--------------------------------------------------------|
/// | 0..8   | base offset       | assigned by the leader, outside the checksum           |
/// | 8..12  | length            | of all that follows this field                         |
/// | 12..16 | leader epoch      | assigned by the leader, outside the checksum           |
/// | 16     | magic             | 2                                                      |
/// | 17..21 | checksum          | CRC32C of all that follows this field                  |
/// | 21..23 | attributes        | see [`Attributes`]                                     |
/// | 23..27 | last offset delta | kept by compaction, so it may exceed the count         |
/// | 27..35 | base timestamp    | the first record's; or the delete horizon, if flagged  |
/// | 35..43 | max timestamp     | the append time, if the attributes say so              |
/// | 43..51 | producer id       | -1 if not idempotent                                   |
/// | 51..53 | producer epoch    | -1 if not idempotent                                   |
/// | 53..57 | base sequence     | -1 if not idempotent                                   |
/// | 57..61 | record count      |                                                        |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    pub length: i32,
    pub leader_epoch: LeaderEpoch,
    pub checksum: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: Timestamp,
    pub max_timestamp: Timestamp,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `src`, which need hold no more than that. The checksum is
    /// not verified, so every field may be damaged; but length, offsets and count make sense.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] below 61 bytes, otherwise what does not make sense.
    pub fn read(src: &[u8]) -> Result<Self, BatchError> {
        let header = Self::read_fields(src)?;
        header.check_counts()?;
        Ok(header)
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::try_from(self.length).unwrap_or(0).saturating_add(LENGTH_PREFIX_BYTES)
    }

    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The sequence number of the last record: they wrap to 0, not to the negative.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// When this batch's tombstones and markers may go (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// The bytes that [`BatchHeader::read`] reads, with the checksum as it stands.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut into = &mut bytes[..];
        into.put_i64(self.base_offset.0);
        into.put_i32(self.length);
        into.put_i32(self.leader_epoch.0);
        into.put_i8(MAGIC);
        into.put_u32(self.checksum);
        into.put_i16(self.attributes.0);
        into.put_i32(self.last_offset_delta);
        into.put_i64(self.base_timestamp.0);
        into.put_i64(self.max_timestamp.0);
        into.put_i64(self.producer_id.0);
        into.put_i16(self.producer_epoch.0);
        into.put_i32(self.base_sequence);
        into.put_i32(self.record_count);
        bytes
    }

    /// The checksum of the header's own part under it.
    pub(super) fn partial_checksum(&self) -> u32 {
        crc32c::crc32c(self.to_bytes().get(CHECKED_FROM..).unwrap_or_default())
    }

    /// As [`BatchHeader::read`], but offsets and counts are taken as they are: until the checksum
    /// is known to be right, nonsense in them is damage and not the sender's doing.
    pub(super) fn read_fields(src: &[u8]) -> Result<Self, BatchError> {
        let have = src.len();
        let truncated = BatchError::Truncated { have, need: HEADER_BYTES };
        // The older formats have shorter headers, with the magic at the same place.
        match src.get(MAGIC_AT).map(|magic| magic.cast_signed()) {
            None => return Err(truncated),
            Some(MAGIC) => {}
            Some(other) => return Err(BatchError::BadMagic(other)),
        }
        let mut from = &src.first_chunk::<HEADER_BYTES>().ok_or(truncated)?[..];
        let base_offset = Offset(from.get_i64());
        let length = from.get_i32();
        let leader_epoch = LeaderEpoch(from.get_i32());
        from.advance(size_of_val(&MAGIC));
        if usize::try_from(length).is_ok_and(|length| length >= LENGTH_MIN) {
            Ok(Self {
                base_offset,
                length,
                leader_epoch,
                checksum: from.get_u32(),
                attributes: Attributes(from.get_i16()),
                last_offset_delta: from.get_i32(),
                base_timestamp: Timestamp(from.get_i64()),
                max_timestamp: Timestamp(from.get_i64()),
                producer_id: ProducerId(from.get_i64()),
                producer_epoch: ProducerEpoch(from.get_i16()),
                base_sequence: from.get_i32(),
                record_count: from.get_i32(),
            })
        } else {
            Err(BatchError::BadLength(length))
        }
    }

    pub(super) fn check_counts(&self) -> Result<(), BatchError> {
        let Self { base_offset: Offset(base_offset), last_offset_delta, record_count, .. } = *self;
        let counted = base_offset.checked_add(i64::from(last_offset_delta));
        // The offset after the last one must exist, too.
        if base_offset < 0 || last_offset_delta < 0 || counted.is_none_or(|last| last == i64::MAX) {
            return Err(BatchError::BadOffsets { base_offset, last_offset_delta });
        }
        if record_count < 0 || i64::from(record_count) > i64::from(last_offset_delta) + 1 {
            return Err(BatchError::BadCount { record_count, last_offset_delta });
        }
        Ok(())
    }
}

/// The attribute bits of a batch.
///
/// | bit | meaning                                     |
/// |-----|---------------------------------------------|
/// | 0-2 | codec                                       |
/// | 3   | timestamps are append times                 |
/// | 4   | transactional                               |
/// | 5   | control batch                               |
/// | 6   | base timestamp is a delete horizon          |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    /// # Errors
    /// [`CodecError::Unknown`]: three bits can name codecs that do not exist.
    pub fn codec(self) -> Result<Codec, CodecError> {
        let [_, low] = self.0.to_be_bytes();
        Codec::from_id(low & CODEC_MASK)
    }

    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.has(LOG_APPEND_TIME) {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.has(TRANSACTIONAL)
    }

    #[must_use]
    pub fn is_control(self) -> bool {
        self.has(CONTROL)
    }

    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.has(DELETE_HORIZON)
    }

    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Self {
        Self(self.0 & !i16::from(CODEC_MASK) | i16::from(codec.id()))
    }

    #[must_use]
    pub fn with_timestamp_type(self, kind: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME, kind == TimestampType::LogAppendTime)
    }

    #[must_use]
    pub fn with_transactional(self, on: bool) -> Self {
        self.with(TRANSACTIONAL, on)
    }

    #[must_use]
    pub fn with_control(self, on: bool) -> Self {
        self.with(CONTROL, on)
    }

    #[must_use]
    pub fn with_delete_horizon(self, on: bool) -> Self {
        self.with(DELETE_HORIZON, on)
    }

    fn has(self, bit: i16) -> bool {
        self.0 & bit != 0
    }

    fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// Whose clock a batch's timestamps come from (KIP-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// Each record has the time that its producer gave it.
    #[default]
    CreateTime,
    /// All records have the time at which the leader appended them.
    LogAppendTime,
}

/// The only message format served.
pub const MAGIC: i8 = 2;
/// Bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// Bytes of a batch that its length field does not count.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// The base sequence of a batch whose producer is not idempotent.
pub const NO_SEQUENCE: i32 = -1;

/// Where the bytes under the checksum begin.
pub(super) const CHECKED_FROM: usize = 21;

const MAGIC_AT: usize = 16;
const LENGTH_MIN: usize = HEADER_BYTES - LENGTH_PREFIX_BYTES;
const CODEC_MASK: u8 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;
