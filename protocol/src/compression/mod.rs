//! Codecs of record batches, each with a bound on what may be inflated.
//!
//! Compressing appends to a buffer that the caller owns; decompressing streams into one that never
//! grows beyond what an [`InflateLimit`] allows, so that a bomb costs a bounded amount of memory.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::{error, fmt, io::Read, ops::RangeInclusive};

use bytes::Bytes;

/// How the records of a batch are compressed. The discriminants are the wire's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Codec {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Codec {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec that a batch's attributes name.
    ///
    /// # Errors
    /// Ids 5 to 7 fit the attribute but name nothing.
    pub fn from_id(id: u8) -> Result<Self, CodecError> {
        Self::ALL.into_iter().find(|codec| codec.id() == id).ok_or(CodecError::Unknown { id })
    }

    /// The codec that a configuration value names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The levels that `compression.<codec>.level` may take (KIP-390); `None` if it has none.
    #[must_use]
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(gzip::LEVELS),
            Self::Lz4 => Some(lz4::LEVELS),
            Self::Zstd => Some(zstd::LEVELS),
        }
    }

    /// The level used when none is configured; 0 for a codec that has no levels.
    #[must_use]
    pub const fn default_level(self) -> i32 {
        match self {
            Self::None | Self::Snappy => 0,
            Self::Gzip => gzip::LEVEL_DEFAULT,
            Self::Lz4 => lz4::LEVEL_DEFAULT,
            Self::Zstd => zstd::LEVEL_DEFAULT,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec and a level that it has.
///
/// LZ4 takes Kafka's levels but has one speed: its encoder knows no high-compression mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// # Errors
    /// [`CodecError::BadLevel`] if the codec has no such level.
    pub fn new(codec: Codec, level: i32) -> Result<Self, CodecError> {
        let known = level == codec.default_level()
            || codec.levels().is_some_and(|levels| levels.contains(&level));
        if known { Ok(Self { codec, level }) } else { Err(CodecError::BadLevel { codec, level }) }
    }

    #[must_use]
    pub const fn codec(self) -> Codec {
        self.codec
    }

    #[must_use]
    pub const fn level(self) -> i32 {
        self.level
    }

    /// Compresses `plain`, appending to `into`.
    ///
    /// # Errors
    /// [`CodecError::Refused`] if the codec's library cannot, such as for want of memory.
    pub fn compress_into(self, plain: &[u8], into: &mut Vec<u8>) -> Result<(), CodecError> {
        let done = match self.codec {
            Codec::None => {
                into.extend_from_slice(plain);
                Ok(())
            }
            Codec::Gzip => gzip::compress(plain, self.level, into),
            Codec::Snappy => snappy::compress(plain, into),
            Codec::Lz4 => lz4::compress(plain, into),
            Codec::Zstd => zstd::compress(plain, self.level, into),
        };
        done.map_err(|reason| CodecError::Refused { codec: self.codec, reason })
    }
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self { codec, level: codec.default_level() }
    }
}

/// How much one decompression may yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimit {
    /// Never more bytes than this.
    pub bytes_max: usize,
    /// Never more than this many times the compressed size, once beyond [`RATIO_FREE_BYTES`].
    pub ratio_max: usize,
}

impl InflateLimit {
    /// The bytes that `compressed` bytes may become.
    #[must_use]
    pub fn allowed(self, compressed: usize) -> usize {
        compressed.saturating_mul(self.ratio_max).max(RATIO_FREE_BYTES).min(self.bytes_max)
    }
}

impl Default for InflateLimit {
    fn default() -> Self {
        Self { bytes_max: INFLATE_BYTES_MAX, ratio_max: INFLATE_RATIO_MAX }
    }
}

/// Compresses `plain` into a buffer of its own.
///
/// # Errors
/// As [`Compression::compress_into`].
pub fn compress(compression: Compression, plain: &[u8]) -> Result<Bytes, CodecError> {
    let mut compressed = Vec::with_capacity(plain.len() / 2);
    compression.compress_into(plain, &mut compressed)?;
    Ok(compressed.into())
}

/// Restores what was compressed with `codec`. [`Codec::None`] returns its input, not a copy.
///
/// # Errors
/// [`CodecError::TooLarge`] as soon as more than `limit` allows comes out, [`CodecError::Corrupt`]
/// if the input is damaged, ends early or goes on after its end.
pub fn decompress(
    codec: Codec,
    compressed: &Bytes,
    limit: InflateLimit,
) -> Result<Bytes, CodecError> {
    let allowed = limit.allowed(compressed.len());
    let plain = match codec {
        Codec::None => return Ok(compressed.clone()),
        Codec::Gzip => gzip::decompress(compressed, allowed),
        Codec::Snappy => snappy::decompress(compressed, allowed),
        Codec::Lz4 => lz4::decompress(compressed, allowed),
        Codec::Zstd => zstd::decompress(compressed, allowed),
    };
    plain.map(Bytes::from).map_err(|fault| match fault {
        Fault::TooLarge => CodecError::TooLarge { codec, compressed: compressed.len(), allowed },
        Fault::Corrupt(reason) => CodecError::Corrupt { codec, reason },
    })
}

/// Why bytes could not be compressed or restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The attributes name a codec that does not exist.
    Unknown { id: u8 },
    /// The codec has no such level.
    BadLevel { codec: Codec, level: i32 },
    /// More came out of `compressed` bytes than the `allowed` ones.
    TooLarge { codec: Codec, compressed: usize, allowed: usize },
    /// The bytes are not what the codec writes.
    Corrupt { codec: Codec, reason: String },
    /// The codec could not compress.
    Refused { codec: Codec, reason: String },
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { id } => write!(f, "no codec has the id {id}"),
            Self::BadLevel { codec, level } => write!(f, "{codec} has no level {level}"),
            Self::TooLarge { codec, compressed, allowed } => {
                write!(f, "{compressed} bytes of {codec} inflate to more than {allowed} bytes")
            }
            Self::Corrupt { codec, reason } => write!(f, "damaged {codec} data: {reason}"),
            Self::Refused { codec, reason } => write!(f, "cannot compress with {codec}: {reason}"),
        }
    }
}

impl error::Error for CodecError {}

/// What a single codec reports; [`decompress`] adds the facts that it knows.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    TooLarge,
    Corrupt(String),
}

impl Fault {
    fn corrupt(reason: impl fmt::Display) -> Self {
        Self::Corrupt(reason.to_string())
    }
}

/// Reads all of `from`, but gives up at the first byte beyond `allowed`.
fn read_bounded(from: impl Read, expected: usize, allowed: usize) -> Result<Vec<u8>, Fault> {
    let mut plain = Vec::with_capacity(expected.min(allowed));
    let one_more = u64::try_from(allowed).unwrap_or(u64::MAX).saturating_add(1);
    from.take(one_more).read_to_end(&mut plain).map_err(Fault::corrupt)?;
    if plain.len() > allowed { Err(Fault::TooLarge) } else { Ok(plain) }
}

/// A batch this small when inflated is not a bomb, however well it was compressed: a megabyte of
/// one repeated byte is 60 bytes of Zstandard.
pub const RATIO_FREE_BYTES: usize = 8 << 20;
const INFLATE_BYTES_MAX: usize = 128 << 20;
const INFLATE_RATIO_MAX: usize = 1024;
/// What text and JSON commonly shrink by: the first guess at an output's size.
const TYPICAL_RATIO: usize = 4;

#[cfg(test)]
mod tests;
