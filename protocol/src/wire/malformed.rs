//! What can be wrong with bytes that claim to be a message.

use std::{error::Error, fmt};

use bytes::TryGetError;

/// Why bytes could not be read as the structure that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end before the value does.
    Truncated { needed: usize, left: usize },
    /// A length or count below zero where null has no meaning.
    NegativeLength(i32),
    /// Null where a value must be.
    UnexpectedNull,
    /// A length or count above the limit for its kind.
    TooLong { length: usize, max: usize },
    /// Arrays that would take more memory than a body of this size may.
    TooLarge { bytes: usize },
    /// A string that is not UTF-8.
    NotUtf8,
    /// A tagged field that comes again, or after one that belongs behind it.
    TagOrder { tag: u32 },
    /// A variable-length integer that does not fit 32 bits.
    VarintOverflow,
    /// Bytes after the end of the structure.
    Trailing { bytes: usize },
    /// A version that the structure does not have.
    UnknownVersion(i16),
    /// An id that no structure has.
    UnknownId(i16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left } => {
                write!(f, "needs {needed} more bytes where {left} are left")
            }
            Self::NegativeLength(length) => write!(f, "has a length of {length}"),
            Self::UnexpectedNull => f.write_str("is null where a value must be"),
            Self::TooLong { length, max } => write!(f, "has a length of {length}, above {max}"),
            Self::TooLarge { bytes } => write!(f, "has arrays of {bytes} bytes too many"),
            Self::NotUtf8 => f.write_str("has a string that is not UTF-8"),
            Self::TagOrder { tag } => write!(f, "has tag {tag} out of order"),
            Self::VarintOverflow => f.write_str("has a varint of more than 32 bits"),
            Self::Trailing { bytes } => write!(f, "has {bytes} bytes after its end"),
            Self::UnknownVersion(number) => write!(f, "has the unknown version {number}"),
            Self::UnknownId(id) => write!(f, "has the unknown id {id}"),
        }
    }
}

impl Error for Malformed {}

impl From<TryGetError> for Malformed {
    fn from(short: TryGetError) -> Self {
        Self::Truncated { needed: short.requested, left: short.available }
    }
}
