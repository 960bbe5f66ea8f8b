//! Tells what a crash leaves behind from what it does not.

use std::io;

use bytes::Bytes;
use milena_protocol::records::{Batch, BatchError, BatchHeader, HEADER_BYTES};

use super::walk::Stop;
use crate::segment::Segment;

/// Whether a crash explains that no whole batch starts where the walk stopped. It does if bytes
/// are missing: the file ends before the batch does, or a page in it was never written and reads
/// as zeros. It also does if nothing follows that anyone could miss; `sound_behind` says that
/// later segments hold something.
pub(super) fn is_of_a_crash(
    segment: &Segment,
    stop: &Stop,
    sound_behind: bool,
) -> io::Result<bool> {
    let (start, end) = (stop.position, segment.size());
    let mut head = [0; HEADER_BYTES];
    let read = segment.file().read_at(&mut head, start)?;
    let suspect = match BatchHeader::read(head.get(..read).unwrap_or_default()) {
        Ok(header) => {
            let claimed = start.saturating_add(header.size() as u64);
            if claimed > end {
                // Or its length is what is damaged, and it ends with the file, or the next batch
                // begins before that.
                let whole = is_whole_but_for_its_length(segment, start)?;
                return Ok(!whole && !has_whole_batch(segment, start + 1, stop)?);
            }
            claimed
        }
        Err(BatchError::Truncated { .. }) => return Ok(true),
        Err(_) => start + HEADER_BYTES as u64,
    };
    if has_lost_page(segment, start, suspect)? {
        return Ok(true);
    }
    Ok(!sound_behind && !has_whole_batch(segment, start + 1, stop)?)
}

/// Whether what lies from `start` to the end of the file is a batch with a wrong length, which is
/// under no checksum.
fn is_whole_but_for_its_length(segment: &Segment, start: u64) -> io::Result<bool> {
    let len = usize::try_from(segment.size() - start).unwrap_or(usize::MAX);
    let Some(length) = len.checked_sub(LENGTH_COUNTS_FROM).and_then(|it| i32::try_from(it).ok())
    else {
        return Ok(false);
    };
    let mut raw = vec![0; len];
    segment.file().read_exact_at(&mut raw, start)?;
    if let Some(field) = raw.get_mut(LENGTH_COUNTS_FROM - 4..LENGTH_COUNTS_FROM) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(Batch::split(&mut Bytes::from(raw)).is_ok())
}

/// Whether, between `start` and `before`, a page is zeros from somewhere on to its end. A page that
/// a crash took reads like that: from `start`, where what was written before ends, or from where
/// the medium stopped, which is between two of its sectors. Fewer zeros are the batch's own: every
/// record ends with one.
fn has_lost_page(segment: &Segment, start: u64, before: u64) -> io::Result<bool> {
    let mut page = [0; PAGE_BYTES];
    let mut at = start - start % PAGE_BYTES as u64;
    while at < before {
        let read = segment.file().read_at(&mut page, at)?;
        let bytes = page.get(..read).unwrap_or_default();
        let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let zeros_from = (at + (read - zeros) as u64).max(start);
        let last_sector = at + (read.saturating_sub(1) / SECTOR_BYTES * SECTOR_BYTES) as u64;
        if zeros > 0 && zeros_from < before && zeros_from <= last_sector.max(start) {
            return Ok(true);
        }
        at += PAGE_BYTES as u64;
    }
    Ok(false)
}

/// Whether a whole batch, with an offset that could follow, starts anywhere from `from` on.
fn has_whole_batch(segment: &Segment, from: u64, stop: &Stop) -> io::Result<bool> {
    let end = segment.size();
    let mut held = Vec::new();
    let mut at = from;
    while at + HEADER_BYTES as u64 <= end {
        let want = SEARCH_BYTES.min(usize::try_from(end - at).unwrap_or(usize::MAX));
        held.resize(want, 0);
        segment.file().read_exact_at(&mut held, at)?;
        for (offset, window) in held.windows(HEADER_BYTES).enumerate() {
            let Ok(header) = BatchHeader::read(window) else { continue };
            let position = at + offset as u64;
            let follows = header.base_offset >= stop.expected
                && header.base_offset.0 - stop.expected.0 <= i64::from(i32::MAX);
            if follows && position + header.size() as u64 <= end {
                let mut whole = vec![0; header.size()];
                segment.file().read_exact_at(&mut whole, position)?;
                if Batch::split(&mut Bytes::from(whole)).is_ok() {
                    return Ok(true);
                }
            }
        }
        // The last window of this piece is the first of the next but one.
        at += (want - HEADER_BYTES + 1) as u64;
    }
    Ok(false)
}

/// A batch's length field tells of the bytes behind it.
const LENGTH_COUNTS_FROM: usize = 12;
const PAGE_BYTES: usize = 4096;
/// What a medium writes whole or not at all.
const SECTOR_BYTES: usize = 512;
const SEARCH_BYTES: usize = 1 << 20;
