//! What a leader writes into a batch that it appends.

use super::{Batch, BatchHeader, HEADER_BYTES, TimestampType, checksum::carry_over};
use crate::ids::{LeaderEpoch, Offset, Timestamp};

/// The fields that only the leader of a partition knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderPatch {
    pub base_offset: Offset,
    pub leader_epoch: LeaderEpoch,
    /// Set where the topic stamps records with the time of the append.
    pub log_append_time: Option<Timestamp>,
}

impl HeaderPatch {
    /// The header of `batch` with these fields, valid in front of `batch.bytes()[61..]`.
    ///
    /// Offset and epoch lie outside the checksum. An append time does not; but the checksum of the
    /// new header and the old body follows from the one stored, so the body is not read.
    #[must_use]
    pub fn header(&self, batch: &Batch) -> BatchHeader {
        let old = batch.header();
        let moved =
            BatchHeader { base_offset: self.base_offset, leader_epoch: self.leader_epoch, ..*old };
        let Some(append_time) = self.log_append_time else { return moved };
        let mut stamped = BatchHeader {
            attributes: old.attributes.with_timestamp_type(TimestampType::LogAppendTime),
            max_timestamp: append_time,
            ..moved
        };
        // A CRC is linear: what the header changes in its own part of the sum, carried over the
        // length of the body, is what changes in the whole.
        let change = old.partial_checksum() ^ stamped.partial_checksum();
        stamped.checksum = old.checksum ^ carry_over(change, batch.size() - HEADER_BYTES);
        stamped
    }

    /// [`HeaderPatch::header`] as bytes.
    #[must_use]
    pub fn apply(&self, batch: &Batch) -> [u8; HEADER_BYTES] {
        self.header(batch).to_bytes()
    }
}
