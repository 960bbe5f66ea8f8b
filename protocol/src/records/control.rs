//! Control batches: one record each, written by brokers, never shown to applications.

use bytes::{Buf, BufMut, Bytes};

use super::{BatchBuilder, BatchError, BuildError, Record};
use crate::{
    compression::Codec,
    ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp},
};

/// The key of a control record: what the value is.
///
/// | bytes | field   | meaning                                       |
/// |-------|---------|-----------------------------------------------|
/// | 0..2  | version | 0; a newer one may add fields at the end      |
/// | 2..4  | type    | see [`ControlType`]                           |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlKey {
    pub version: i16,
    pub kind: ControlType,
}

impl ControlKey {
    /// # Errors
    /// [`BatchError::BadControlRecord`] if the key is missing, short or of a negative version.
    pub fn read(record: &Record) -> Result<Self, BatchError> {
        let mut key = record.key.as_deref().unwrap_or_default();
        let version = key.try_get_i16().map_err(|_| BatchError::BadControlRecord)?;
        let kind = key.try_get_i16().map_err(|_| BatchError::BadControlRecord)?;
        if version < 0 {
            return Err(BatchError::BadControlRecord);
        }
        Ok(Self { version, kind: ControlType::from_id(kind) })
    }

    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let [[v0, v1], [k0, k1]] = [self.version.to_be_bytes(), self.kind.id().to_be_bytes()];
        [v0, v1, k0, k1]
    }
}

impl From<ControlType> for ControlKey {
    fn from(kind: ControlType) -> Self {
        Self { version: 0, kind }
    }
}

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlType {
    /// A transaction of this producer was aborted (KIP-98).
    Abort,
    /// A transaction of this producer was committed.
    Commit,
    /// A quorum has a new leader (KIP-595).
    LeaderChange,
    /// A snapshot begins (KIP-630).
    SnapshotHeader,
    /// A snapshot ends.
    SnapshotFooter,
    /// The quorum's feature level changed (KIP-853).
    KraftVersion,
    /// The quorum's voters changed.
    KraftVoters,
    /// Something newer, to be skipped.
    Unknown(i16),
}

impl ControlType {
    #[must_use]
    pub fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            other => Self::Unknown(other),
        }
    }

    #[must_use]
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// A batch that says this with the encoded `value`. It bears no producer: quorums write it.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`], for a value of gigabytes.
    pub fn batch(
        self,
        value: &[u8],
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        now: Timestamp,
    ) -> Result<Bytes, BuildError> {
        let mut batch = BatchBuilder::new(Codec::None)
            .base_offset(base_offset)
            .leader_epoch(leader_epoch)
            .control(true);
        batch.append(now, Some(&ControlKey::from(self).to_bytes()), Some(value), &[])?;
        batch.build()
    }
}

/// The end of a producer's transaction in one partition.
///
/// | bytes of the value | field             | meaning                               |
/// |--------------------|-------------------|---------------------------------------|
/// | 0..2               | version           | 0                                     |
/// | 2..6               | coordinator epoch | fences markers of older coordinators  |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    pub commit: bool,
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// `None` if `record`, of a control batch, says something else.
    ///
    /// # Errors
    /// [`BatchError::BadControlRecord`] if key or value are malformed.
    pub fn read(record: &Record) -> Result<Option<Self>, BatchError> {
        let commit = match ControlKey::read(record)?.kind {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _ => return Ok(None),
        };
        let mut value = record.value.as_deref().unwrap_or_default();
        let version = value.try_get_i16().map_err(|_| BatchError::BadControlRecord)?;
        let coordinator_epoch = value.try_get_i32().map_err(|_| BatchError::BadControlRecord)?;
        if version < 0 {
            return Err(BatchError::BadControlRecord);
        }
        Ok(Some(Self { commit, coordinator_epoch }))
    }

    /// The batch that ends the transaction of a producer. Offset and leader epoch are for the
    /// leader to patch.
    ///
    /// # Errors
    /// None that a marker can cause; the builder's are passed on.
    pub fn batch(
        self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        now: Timestamp,
    ) -> Result<Bytes, BuildError> {
        let kind = if self.commit { ControlType::Commit } else { ControlType::Abort };
        let mut value = Vec::new();
        value.put_i16(0);
        value.put_i32(self.coordinator_epoch);
        let mut batch = BatchBuilder::new(Codec::None).transactional(true).control(true).producer(
            producer_id,
            producer_epoch,
            super::NO_SEQUENCE,
        );
        batch.append(now, Some(&ControlKey::from(kind).to_bytes()), Some(&value), &[])?;
        batch.build()
    }
}
