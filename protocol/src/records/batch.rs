//! A batch that was checked.

use bytes::Bytes;

use super::{
    Attributes, BatchError, BatchHeader, BuildError, HEADER_BYTES, RecordIter, TimestampType,
    builder, header::CHECKED_FROM,
};
use crate::{
    compression::{Codec, CodecError, Compression, InflateLimit, decompress},
    ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp},
};

/// Exactly one whole v2 batch whose checksum is right and whose offsets and counts make sense.
///
/// It shares the bytes it was split off, and keeps them alive. What the records hold is not known
/// until they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes the first batch off `src`, which is left as it was if that fails.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] if `src` ends before the batch does, otherwise what is wrong.
    pub fn split(src: &mut Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::read_fields(src)?;
        let size = header.size();
        let Some(whole) = src.get(..size) else {
            return Err(BatchError::Truncated { have: src.len(), need: size });
        };
        let computed = crc32c::crc32c(whole.get(CHECKED_FROM..).unwrap_or_default());
        if computed != header.checksum {
            return Err(BatchError::BadChecksum { stored: header.checksum, computed });
        }
        header.check_counts()?;
        Ok(Self { header, bytes: src.split_to(size) })
    }

    /// The batches of `src`, one after the other.
    #[must_use]
    pub fn split_all(src: Bytes) -> Batches {
        Batches { rest: src }
    }

    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The batch as it came, header included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The records as they came, compressed or not.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.header.base_offset
    }

    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.header.last_offset()
    }

    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        self.header.last_offset_delta
    }

    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.header.leader_epoch
    }

    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.header.attributes
    }

    /// # Errors
    /// [`CodecError::Unknown`] if the attributes name a codec that does not exist.
    pub fn compression(&self) -> Result<Codec, CodecError> {
        self.header.attributes.codec()
    }

    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        self.header.attributes.timestamp_type()
    }

    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.header.attributes.is_transactional()
    }

    #[must_use]
    pub fn is_control(&self) -> bool {
        self.header.attributes.is_control()
    }

    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.header.delete_horizon()
    }

    #[must_use]
    pub fn base_timestamp(&self) -> Timestamp {
        self.header.base_timestamp
    }

    #[must_use]
    pub fn max_timestamp(&self) -> Timestamp {
        self.header.max_timestamp
    }

    #[must_use]
    pub fn producer_id(&self) -> ProducerId {
        self.header.producer_id
    }

    #[must_use]
    pub fn producer_epoch(&self) -> ProducerEpoch {
        self.header.producer_epoch
    }

    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        self.header.base_sequence
    }

    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        self.header.last_sequence()
    }

    /// The records, inflated at once if they are compressed and then shared slice by slice.
    ///
    /// # Errors
    /// [`BatchError::Codec`] if they cannot be inflated within `limit`. What is wrong with a single
    /// record comes out of the iterator.
    pub fn records(&self, limit: InflateLimit) -> Result<RecordIter, BatchError> {
        let plain = decompress(self.compression()?, &self.body(), limit)?;
        Ok(RecordIter::new(&self.header, plain))
    }

    /// The same batch under another codec: offsets, timestamps, producer and flags stay. Every
    /// record is read on the way, so the result holds no malformed one.
    ///
    /// # Errors
    /// Whatever is wrong with the records, or that they do not fit a batch any more.
    pub fn recompress(
        &self,
        compression: Compression,
        limit: InflateLimit,
    ) -> Result<Self, BuildError> {
        let plain = decompress(self.compression().map_err(BatchError::from)?, &self.body(), limit)
            .map_err(BatchError::from)?;
        for record in RecordIter::new(&self.header, plain.clone()) {
            record?;
        }
        let mut batch = builder::header_room(plain.len());
        compression.compress_into(&plain, &mut batch)?;
        let (header, bytes) = builder::seal(
            BatchHeader {
                attributes: self.header.attributes.with_codec(compression.codec()),
                ..self.header
            },
            batch,
        )?;
        Ok(Self { header, bytes })
    }
}

/// Batches one after the other; the first error is the last item.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::split(&mut self.rest);
        if batch.is_err() {
            self.rest.clear();
        }
        Some(batch)
    }
}
