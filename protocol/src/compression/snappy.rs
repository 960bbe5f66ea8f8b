//! Snappy, in the two forms that clients send: raw, and framed by the xerial library.
//!
//! Every client reads the framed form, which is Java's own, so that is what is written here.
//!
//! | bytes | field   | meaning                                              |
//! |-------|---------|------------------------------------------------------|
//! | 0..8  | magic   | `0x82 S N A P P Y 0x00`, impossible as a raw stream  |
//! | 8..12 | version | 1                                                    |
//! | 12..16| minimum | oldest version that can read this: 1                 |
//! | 16..  | chunks  | each a 4-byte big-endian length and that much raw    |

use bytes::BufMut;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::Fault;

pub(super) fn compress(plain: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
    let mut encoder = Encoder::new();
    let mut chunk = vec![0; max_compress_len(plain.len().min(CHUNK_BYTES))];
    into.put_slice(&MAGIC);
    into.put_i32(VERSION);
    into.put_i32(VERSION);
    for part in plain.chunks(CHUNK_BYTES) {
        let size = encoder.compress(part, &mut chunk).map_err(|e| e.to_string())?;
        let (compressed, _) = chunk.split_at_checked(size).ok_or("chunk outgrew its bound")?;
        into.put_u32(u32::try_from(size).map_err(|e| e.to_string())?);
        into.put_slice(compressed);
    }
    Ok(())
}

pub(super) fn decompress(compressed: &[u8], allowed: usize) -> Result<Vec<u8>, Fault> {
    let mut plain = Vec::new();
    let Some(framed) = compressed.strip_prefix(&MAGIC) else {
        inflate_raw(compressed, allowed, &mut plain)?;
        return Ok(plain);
    };
    let (_versions, mut rest) =
        framed.split_at_checked(VERSIONS_BYTES).ok_or_else(|| Fault::corrupt("no version"))?;
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk().ok_or_else(|| Fault::corrupt("half a chunk length"))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(Fault::corrupt)?;
        let (chunk, after) =
            after.split_at_checked(length).ok_or_else(|| Fault::corrupt("half a chunk"))?;
        inflate_raw(chunk, allowed, &mut plain)?;
        rest = after;
    }
    Ok(plain)
}

/// Appends what `raw` holds. The size that it claims is believed only as far as `allowed`.
fn inflate_raw(raw: &[u8], allowed: usize, plain: &mut Vec<u8>) -> Result<(), Fault> {
    let start = plain.len();
    let end = decompress_len(raw).map_err(Fault::corrupt)?.saturating_add(start);
    if end > allowed {
        return Err(Fault::TooLarge);
    }
    plain.resize(end, 0);
    let into = plain.get_mut(start..).unwrap_or_default();
    let written = Decoder::new().decompress(raw, into).map_err(Fault::corrupt)?;
    plain.truncate(start + written);
    Ok(())
}

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSION: i32 = 1;
const VERSIONS_BYTES: usize = 8;
/// The xerial library's own block size.
const CHUNK_BYTES: usize = 32 << 10;
