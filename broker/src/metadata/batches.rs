//! Records of the metadata in batches, and back: the same in the log and in a snapshot of it.

use std::fmt;

use bytes::Bytes;
use milena_protocol::{
    Offset, Timestamp,
    compression::InflateLimit,
    records::{Batch, BatchBuilder, BatchError, BuildError},
    state::metadata::MetadataRecord,
    wire::Malformed,
};

use super::{Image, Inconsistent};

/// What `builder` makes of `records`, each in the version that it is written in.
pub(super) fn batch(
    mut builder: BatchBuilder,
    records: &[MetadataRecord],
    now: Timestamp,
) -> Result<Bytes, BuildError> {
    for record in records {
        builder.append(now, None, Some(&record.encode(version_written(record))), &[])?;
    }
    builder.build()
}

/// Takes the first batch off `bytes`, which begins with offset `expected`.
pub(super) fn split(bytes: &mut Bytes, expected: Offset) -> Result<Batch, Damage> {
    let bad = |error| Damage::Batch { offset: expected, error };
    let batch = Batch::split(bytes).map_err(bad)?;
    let found = batch.base_offset();
    if found == expected { Ok(batch) } else { Err(Damage::Gap { expected, found }) }
}

/// Control batches say something about the quorum, not about the cluster.
pub(super) fn take_in(image: &mut Image, batch: &Batch) -> Result<(), Damage> {
    if batch.is_control() {
        return Ok(());
    }
    let at = batch.base_offset();
    let bad = |error| Damage::Batch { offset: at, error };
    for record in batch.records(InflateLimit::default()).map_err(bad)? {
        let record = record.map_err(bad)?;
        let offset = record.offset;
        let value = record.value.ok_or(Damage::Empty { offset })?;
        let record =
            MetadataRecord::decode(value).map_err(|error| Damage::Record { offset, error })?;
        image.apply(&record, offset.0)?;
    }
    Ok(())
}

/// What is wrong with records that were read.
#[derive(Debug)]
pub enum Damage {
    Batch { offset: Offset, error: BatchError },
    Gap { expected: Offset, found: Offset },
    Record { offset: Offset, error: Malformed },
    Empty { offset: Offset },
    Inconsistent(Inconsistent),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch { offset, error } => write!(f, "bad batch at offset {}: {error}", offset.0),
            Self::Gap { expected, found } => {
                write!(f, "offset {} where {} was to come", found.0, expected.0)
            }
            Self::Record { offset, error } => {
                write!(f, "the record at offset {} {error}", offset.0)
            }
            Self::Empty { offset } => write!(f, "the record at offset {} has no value", offset.0),
            Self::Inconsistent(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Damage {}

impl From<Inconsistent> for Damage {
    fn from(error: Inconsistent) -> Self {
        Self::Inconsistent(error)
    }
}

/// The version that each kind of record is written in: those of the one `metadata.version` that
/// the cluster can have.
const fn version_written(record: &MetadataRecord) -> i16 {
    match record {
        MetadataRecord::RegisterBroker(_) => 3,
        MetadataRecord::BrokerRegistrationChange(_) => 2,
        MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => 1,
        _ => 0,
    }
}
