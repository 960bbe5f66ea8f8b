//! LZ4 frames, written as Kafka writes them: independent blocks of 64 KiB, no content checksum,
//! and the header checksum that the frame format specifies (only message formats before v2 carried
//! a wrong one).

use std::{
    io::{self, Read, Write},
    ops::RangeInclusive,
};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Fault, TYPICAL_RATIO, read_bounded};

pub(super) const LEVELS: RangeInclusive<i32> = 1..=17;
pub(super) const LEVEL_DEFAULT: i32 = 9;

pub(super) fn compress(plain: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, into);
    encoder.write_all(plain).map_err(|e| e.to_string())?;
    encoder.finish().map_err(|e| e.to_string())?;
    Ok(())
}

pub(super) fn decompress(compressed: &[u8], allowed: usize) -> Result<Vec<u8>, Fault> {
    let mut source = Watched { rest: compressed, ran_out: false };
    let expected = compressed.len().saturating_mul(TYPICAL_RATIO);
    let plain = read_bounded(FrameDecoder::new(&mut source), expected, allowed)?;
    // The decoder takes the end of its input for the end of the frame; only a decoder that stopped
    // without asking for more has seen the end mark.
    if source.ran_out {
        return Err(Fault::corrupt("the frame has no end mark"));
    }
    if !source.rest.is_empty() {
        return Err(Fault::corrupt("bytes after the end of the frame"));
    }
    Ok(plain)
}

/// A slice that remembers whether more was asked of it than it held.
struct Watched<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buf)?;
        self.ran_out |= read == 0 && !buf.is_empty();
        Ok(read)
    }
}
