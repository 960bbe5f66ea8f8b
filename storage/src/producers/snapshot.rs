//! `<offset>.snapshot`: the producers of a log, as its batches below `offset` left them.
//!
//! Big-endian:
//!
//! | bytes | field    | meaning                                      |
//! |-------|----------|----------------------------------------------|
//! | 0..2  | version  | 1                                            |
//! | 2..6  | checksum | CRC32C of everything after it                |
//! | 6..10 | count    | of the producers that follow, 46 bytes each  |
//!
//! | bytes  | field             | meaning                                              |
//! |--------|-------------------|------------------------------------------------------|
//! | 0..8   | producer          | its id                                               |
//! | 8..10  | epoch             |                                                      |
//! | 10..14 | last sequence     | of its last batch, -1 if none is known                |
//! | 14..22 | last offset       | of its last batch, -1 if none is known                |
//! | 22..26 | offset delta      | last minus first offset of that batch                |
//! | 26..34 | timestamp         | greatest of that batch, or of a marker after it      |
//! | 34..38 | coordinator epoch | of the last end marker, -1 if there was none         |
//! | 38..46 | open since        | first offset of the open transaction, -1 if none     |

use std::{
    io,
    io::IoSlice,
    path::{Path, PathBuf},
};

use bytes::{Buf, BufMut};
use milena_protocol::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::WrittenBatch;
use crate::{
    checkpoint::Found,
    fs::{Disk, Mode},
};

/// What a snapshot keeps of a producer: of its batches the last one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    pub producer: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_batch: Option<WrittenBatch>,
    pub timestamp: Timestamp,
    pub coordinator_epoch: i32,
    pub open_since: Option<Offset>,
}

/// The offsets of the snapshots in `dir`, ascending.
pub fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Offset>> {
    let mut found: Vec<Offset> = disk
        .read_dir(dir)?
        .into_iter()
        .filter_map(|entry| entry.name.strip_suffix(SUFFIX)?.parse().ok().map(Offset))
        .filter(|offset| *offset >= Offset::ZERO)
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// The producers in the snapshot at `offset`.
pub fn read(disk: &dyn Disk, dir: &Path, offset: Offset) -> io::Result<Found<Vec<SnapshotEntry>>> {
    let file = match disk.open(&path(dir, offset), Mode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        opened => opened?,
    };
    let bytes = file.len()?;
    let Some(len) = usize::try_from(bytes).ok().filter(|&len| len <= FILE_BYTES_MAX) else {
        return Ok(Found::Damaged { reason: format!("{bytes} bytes are too many") });
    };
    let mut contents = vec![0; len];
    file.read_exact_at(&mut contents, 0)?;
    Ok(Found::Whole(contents).and_then(|contents| decode(&contents)))
}

/// Writes the snapshot at `offset`, without a sync.
pub(super) fn write(
    disk: &dyn Disk,
    dir: &Path,
    offset: Offset,
    entries: impl ExactSizeIterator<Item = SnapshotEntry>,
) -> io::Result<()> {
    let file = disk.open(&path(dir, offset), Mode::CreateOrOpen)?;
    file.set_len(0)?;
    file.write_all_at(&mut [IoSlice::new(&encode(entries))], 0)
}

/// Removes the snapshots at `offsets`, so that no crash brings them back: the log may come to have
/// other batches below an offset that one of them is named by, and then it would be believed.
pub(super) fn remove(disk: &dyn Disk, dir: &Path, offsets: &[Offset]) -> io::Result<()> {
    for &offset in offsets {
        disk.remove_file(&path(dir, offset))?;
    }
    if offsets.is_empty() { Ok(()) } else { disk.sync_dir(dir) }
}

fn path(dir: &Path, offset: Offset) -> PathBuf {
    dir.join(format!("{:020}{SUFFIX}", offset.0))
}

fn encode(entries: impl ExactSizeIterator<Item = SnapshotEntry>) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + entries.len() * ENTRY_BYTES);
    body.put_u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    for entry in entries {
        body.put_i64(entry.producer.0);
        body.put_i16(entry.epoch.0);
        body.put_i32(entry.last_batch.map_or(-1, |batch| batch.last_sequence));
        body.put_i64(entry.last_batch.map_or(-1, |batch| batch.last_offset.0));
        body.put_i32(entry.last_batch.map_or(0, |batch| batch.offset_delta));
        body.put_i64(entry.timestamp.0);
        body.put_i32(entry.coordinator_epoch);
        body.put_i64(entry.open_since.map_or(-1, |offset| offset.0));
    }
    let mut contents = Vec::with_capacity(HEADER_BYTES + body.len());
    contents.put_i16(VERSION);
    contents.put_u32(crc32c::crc32c(&body));
    contents.extend_from_slice(&body);
    contents
}

fn decode(contents: &[u8]) -> Result<Vec<SnapshotEntry>, String> {
    let mut src = contents;
    let (Ok(version), Ok(checksum)) = (src.try_get_i16(), src.try_get_u32()) else {
        return Err("too short for a header".to_owned());
    };
    if version != VERSION {
        return Err(format!("version {version} is unknown"));
    }
    if crc32c::crc32c(src) != checksum {
        return Err("the checksum does not match".to_owned());
    }
    let count = src.try_get_u32().map_err(|_| "too short for a count")?;
    if src.len() as u64 != u64::from(count) * ENTRY_BYTES as u64 {
        return Err(format!("{} bytes cannot be {count} producers", src.len()));
    }
    src.chunks_exact(ENTRY_BYTES)
        .map(|raw| decode_entry(raw).map_err(|_| "too short for a producer".to_owned()))
        .collect()
}

fn decode_entry(mut raw: &[u8]) -> Result<SnapshotEntry, bytes::TryGetError> {
    let producer = ProducerId(raw.try_get_i64()?);
    let epoch = ProducerEpoch(raw.try_get_i16()?);
    let last_sequence = raw.try_get_i32()?;
    let last_offset = Offset(raw.try_get_i64()?);
    let offset_delta = raw.try_get_i32()?;
    let timestamp = Timestamp(raw.try_get_i64()?);
    let coordinator_epoch = raw.try_get_i32()?;
    let open_since = Offset(raw.try_get_i64()?);
    let batch = WrittenBatch { last_sequence, last_offset, offset_delta, timestamp };
    Ok(SnapshotEntry {
        producer,
        epoch,
        last_batch: (last_offset >= Offset::ZERO).then_some(batch),
        timestamp,
        coordinator_epoch,
        open_since: (open_since >= Offset::ZERO).then_some(open_since),
    })
}

const SUFFIX: &str = ".snapshot";
const VERSION: i16 = 1;
const HEADER_BYTES: usize = 6;
const ENTRY_BYTES: usize = 46;
/// Room for over a million producers, many more than this broker keeps: Kafka might have.
const FILE_BYTES_MAX: usize = 64 << 20;
