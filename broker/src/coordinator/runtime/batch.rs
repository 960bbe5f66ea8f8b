//! The records of a turn as one batch.

use bytes::Bytes;
use milena_protocol::{
    Timestamp,
    compression::Codec,
    records::{BatchBuilder, BuildError},
};

use super::StateRecord;

/// # Errors
/// The records do not fit into one batch.
pub(super) fn build(records: &[StateRecord], now: Timestamp) -> Result<Bytes, BuildError> {
    let mut batch = BatchBuilder::new(Codec::None);
    for record in records {
        batch.append(now, Some(&record.key), record.value.as_deref(), &[])?;
    }
    batch.build()
}
