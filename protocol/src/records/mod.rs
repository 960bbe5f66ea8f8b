//! Record batches, format v2: the unit in which records travel, are stored and are checked.
//!
//! [`Batch`] is the proof that length, magic, checksum and counts were verified; it shares the bytes
//! it came in. [`BatchHeader`] reads the first 61 bytes alone, for scans. [`HeaderPatch`] assigns
//! what only a leader knows without touching the body, [`BatchBuilder`] makes batches.

mod batch;
mod builder;
mod checksum;
mod control;
mod error;
mod header;
mod patch;
mod record;
mod varint;

pub use batch::{Batch, Batches};
pub use builder::{BatchBuilder, BuildError};
pub use control::{ControlKey, ControlType, EndTxnMarker};
pub use error::{BatchError, RecordFault};
pub use header::{
    Attributes, BatchHeader, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC, NO_SEQUENCE, TimestampType,
};
pub use patch::HeaderPatch;
pub use record::{Header, Record, RecordIter};

#[cfg(test)]
mod tests;
