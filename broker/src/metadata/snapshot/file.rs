//! A snapshot as a file: `<end>-<epoch>.checkpoint`, of 20 and 10 digits, next to the log.
//!
//! Kafka's format (KIP-630): batches of version 2 as in the log, with offsets from 0 on and the
//! epoch of the name. Control records begin and end it; without the last one it is not whole.
//!
//! | batches | hold                                                              |
//! |---------|-------------------------------------------------------------------|
//! | first   | control, `SnapshotHeader`: when the last record was appended      |
//! | others  | the image, as metadata records                                    |
//! | last    | control, `SnapshotFooter`                                         |

use std::{fmt, io};

use bytes::{BufMut, Bytes, BytesMut};
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp,
    compression::{Codec, InflateLimit},
    records::{Batch, BatchBuilder, BatchError, BuildError, ControlKey, ControlType},
    state::control::{SnapshotFooterRecord, SnapshotHeaderRecord},
    wire::{FrameWriter, Record},
};

use super::contents;
use crate::metadata::{
    Damage, Image, MetadataRecord,
    batches::{batch, split, take_in},
};

/// Which snapshot it is. They are ordered as they were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// One past the last record of the log that is in it.
    pub end: i64,
    /// Of that last record.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// `None` if that is no snapshot's name.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let (end, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let id = Self { end: end.parse().ok()?, epoch: LeaderEpoch(epoch.parse().ok()?) };
        (id.file_name() == name).then_some(id)
    }

    pub(super) fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end, self.epoch.0)
    }
}

/// The whole file. `appended` is when the last record in `image` was, about.
pub(super) fn encode(
    image: &Image,
    epoch: LeaderEpoch,
    appended: Timestamp,
    now: Timestamp,
) -> Result<Bytes, BuildError> {
    let mut file = BytesMut::new();
    let mut next = Offset::ZERO;
    let header =
        SnapshotHeaderRecord { last_contained_log_timestamp: appended.0, ..Default::default() };
    file.put(ControlType::SnapshotHeader.batch(&body(&header), next, epoch, now)?);
    next = next.next();
    let mut records = contents::records(image);
    loop {
        let some: Vec<MetadataRecord> = records.by_ref().take(RECORDS_PER_BATCH).collect();
        if some.is_empty() {
            break;
        }
        let builder = BatchBuilder::new(Codec::None).base_offset(next).leader_epoch(epoch);
        file.put(batch(builder, &some, now)?);
        next = next.plus(i64::try_from(some.len()).map_err(|_| BuildError::TooLarge)?);
    }
    let footer = body(&SnapshotFooterRecord::default());
    file.put(ControlType::SnapshotFooter.batch(&footer, next, epoch, now)?);
    Ok(file.freeze())
}

/// The image at `end` that the whole `file` holds.
pub(super) fn decode(mut file: Bytes, end: i64) -> Result<Image, Unreadable> {
    let mut image = Image::default();
    let mut next = Offset::ZERO;
    let mut ended = false;
    while !file.is_empty() {
        if ended {
            return Err(Unreadable::BehindFooter);
        }
        let batch = split(&mut file, next)?;
        let kind = control(&batch)?;
        if (next == Offset::ZERO) != (kind == Some(ControlType::SnapshotHeader)) {
            return Err(Unreadable::Header);
        }
        take_in(&mut image, &batch)?;
        ended = kind == Some(ControlType::SnapshotFooter);
        next = batch.last_offset().next();
    }
    if ended { Ok(image.ending_at(end)) } else { Err(Unreadable::CutShort) }
}

/// Why a file is not a whole snapshot.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(io::Error),
    Damaged(Damage),
    /// It does not begin with the header, or has a second one.
    Header,
    CutShort,
    BehindFooter,
    TooLarge {
        bytes: u64,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Header => f.write_str("the header is not at the beginning"),
            Self::CutShort => f.write_str("the footer is missing"),
            Self::BehindFooter => f.write_str("there is something behind the footer"),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes are too many"),
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// What a control batch says first; `None` of any other batch.
fn control(batch: &Batch) -> Result<Option<ControlType>, Damage> {
    if !batch.is_control() {
        return Ok(None);
    }
    let bad = |error| Damage::Batch { offset: batch.base_offset(), error };
    let mut records = batch.records(InflateLimit::default()).map_err(bad)?;
    let first = records.next().ok_or_else(|| bad(BatchError::BadControlRecord))?.map_err(bad)?;
    Ok(Some(ControlKey::read(&first).map_err(bad)?.kind))
}

fn body<R: Record>(record: &R) -> Bytes {
    let mut to = FrameWriter::new();
    record.encode(&mut to, R::version(0));
    to.into_bytes()
}

const SUFFIX: &str = ".checkpoint";
const RECORDS_PER_BATCH: usize = 10_000;
