//! GZIP (RFC 1952), one or several members.

use std::{io::Write, ops::RangeInclusive};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};

use super::{Fault, TYPICAL_RATIO, read_bounded};

pub(super) const LEVELS: RangeInclusive<i32> = 1..=9;
/// Stands for whatever the library prefers.
pub(super) const LEVEL_DEFAULT: i32 = -1;

pub(super) fn compress(plain: &[u8], level: i32, into: &mut Vec<u8>) -> Result<(), String> {
    let level = u32::try_from(level)
        .map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
    let mut encoder = GzEncoder::new(into, level);
    encoder.write_all(plain).and_then(|()| encoder.finish()).map_err(|e| e.to_string())?;
    Ok(())
}

pub(super) fn decompress(compressed: &[u8], allowed: usize) -> Result<Vec<u8>, Fault> {
    let expected = compressed.len().saturating_mul(TYPICAL_RATIO);
    read_bounded(MultiGzDecoder::new(compressed), expected, allowed)
}
