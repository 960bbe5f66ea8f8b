//! What can be wrong with a batch.

use std::{error, fmt};

use crate::compression::CodecError;

/// Why bytes are not a batch, or a batch's records cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does.
    Truncated {
        have: usize,
        need: usize,
    },
    /// A message format other than v2; 0 and 1 are the ones before it.
    BadMagic(i8),
    /// The length field is negative or leaves no room for a header.
    BadLength(i32),
    BadChecksum {
        stored: u32,
        computed: u32,
    },
    /// A negative base offset or delta, or a last offset beyond what can be counted.
    BadOffsets {
        base_offset: i64,
        last_offset_delta: i32,
    },
    /// A negative count, or more records than offsets.
    BadCount {
        record_count: i32,
        last_offset_delta: i32,
    },
    /// The records cannot be inflated.
    Codec(CodecError),
    /// The record at `index` is malformed.
    Record {
        index: i32,
        fault: RecordFault,
    },
    /// The header declares more records than there are.
    MissingRecords {
        declared: i32,
        found: i32,
    },
    /// Bytes are left after the last declared record.
    TrailingBytes(usize),
    /// A control record's key or value is too short or of a negative version.
    BadControlRecord,
}

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// A number of variable length ends early or does not fit its type.
    BadVarint,
    /// A length is negative where that has no meaning, or exceeds the bytes left.
    BadLength(i32),
    /// A header count is negative or exceeds what the bytes left can hold.
    BadHeaderCount(i32),
    /// Offsets must rise and stay within what the batch header declares.
    BadOffsetDelta(i32),
    /// Base timestamp plus delta overflows.
    BadTimestampDelta(i64),
    /// Bytes are left after the last header of the record.
    TrailingBytes(usize),
}

impl From<CodecError> for BatchError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { have, need } => write!(f, "batch of {need} bytes cut at {have}"),
            Self::BadMagic(magic) => write!(f, "message format {magic} is not served, only 2"),
            Self::BadLength(length) => write!(f, "impossible batch length {length}"),
            Self::BadChecksum { stored, computed } => {
                write!(f, "checksum is {computed:#010x} but {stored:#010x} is stored")
            }
            Self::BadOffsets { base_offset, last_offset_delta } => {
                write!(f, "impossible offsets: base {base_offset}, last delta {last_offset_delta}")
            }
            Self::BadCount { record_count, last_offset_delta } => {
                write!(
                    f,
                    "{record_count} records cannot have last offset delta {last_offset_delta}"
                )
            }
            Self::Codec(error) => error.fmt(f),
            Self::Record { index, fault } => write!(f, "record {index} of the batch: {fault}"),
            Self::MissingRecords { declared, found } => {
                write!(f, "batch declares {declared} records but holds {found}")
            }
            Self::TrailingBytes(count) => write!(f, "{count} bytes after the last record"),
            Self::BadControlRecord => f.write_str("malformed control record"),
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadVarint => f.write_str("malformed number of variable length"),
            Self::BadLength(length) => write!(f, "impossible length {length}"),
            Self::BadHeaderCount(count) => write!(f, "impossible header count {count}"),
            Self::BadOffsetDelta(delta) => write!(f, "offset delta {delta} is out of order"),
            Self::BadTimestampDelta(delta) => write!(f, "timestamp delta {delta} overflows"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes after the last header"),
        }
    }
}

impl error::Error for BatchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Codec(error) => Some(error),
            _ => None,
        }
    }
}
