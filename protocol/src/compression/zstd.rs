//! Zstandard (RFC 8878), one or several frames.

use std::ops::RangeInclusive;

use zstd::stream::{read::Decoder, write::Encoder};

use super::{Fault, TYPICAL_RATIO, read_bounded};

pub(super) const LEVELS: RangeInclusive<i32> = -131_072..=22;
pub(super) const LEVEL_DEFAULT: i32 = 3;

pub(super) fn compress(plain: &[u8], level: i32, into: &mut Vec<u8>) -> Result<(), String> {
    let done = (|| {
        let mut encoder = Encoder::new(into, level)?;
        // The window need not exceed what there is to look back at.
        encoder.set_pledged_src_size(u64::try_from(plain.len()).ok())?;
        std::io::Write::write_all(&mut encoder, plain)?;
        encoder.finish().map(drop)
    })();
    done.map_err(|e| e.to_string())
}

pub(super) fn decompress(compressed: &[u8], allowed: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = Decoder::with_buffer(compressed).map_err(Fault::corrupt)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(Fault::corrupt)?;
    read_bounded(decoder, compressed.len().saturating_mul(TYPICAL_RATIO), allowed)
}

/// A frame may ask for this window, 128 MiB, and no larger: it is what level 22 asks for. The
/// pages of a window are touched only as output is produced, which `allowed` bounds.
const WINDOW_LOG_MAX: u32 = 27;
