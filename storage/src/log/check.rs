//! Whether a batch may enter the log, judged before any lock is taken.

use bytes::Bytes;
use milena_protocol::{
    Offset, ProducerEpoch, ProducerId, Timestamp,
    compression::{CodecError, InflateLimit},
    records::{Batch, BatchError, BuildError, Record, TimestampType},
};

use super::{AppendError, InvalidBatch, LogConfig, RecordError};

/// What a client sent for one partition: exactly one batch that keeps the rules, rewritten if the
/// topic wants another codec. Reads single records only where the configuration asks for it.
pub(super) fn from_client(
    mut records: Bytes,
    config: &LogConfig,
    now: Timestamp,
) -> Result<Batch, AppendError> {
    if records.is_empty() {
        return Err(InvalidBatch::BatchCount { found: 0 }.into());
    }
    let batch = Batch::split(&mut records)?;
    if !records.is_empty() {
        return Err(InvalidBatch::BatchCount { found: 2 }.into());
    }
    check_header(&batch, config)?;
    let inspection = Inspection::of(&batch, config, now);
    if inspection.is_needed() {
        inspection.run(&batch)?;
    }
    match config.compression {
        Some(wanted) if batch.compression()? != wanted.codec() => {
            let rewritten =
                batch.recompress(wanted, InflateLimit::default()).map_err(|error| match error {
                    BuildError::Source(error) => unreadable(&batch, error),
                    _ => InvalidBatch::Records.into(),
                })?;
            // What is stored counts: another codec may make more of it.
            check_size(&rewritten, config)?;
            Ok(rewritten)
        }
        _ => Ok(batch),
    }
}

/// Batches that this broker or another one made: checked for damage only. What follows the last
/// whole one of a replica's answer is not an error.
pub(super) fn from_broker(mut records: Bytes) -> Result<Vec<Batch>, AppendError> {
    let mut batches = Vec::with_capacity(1);
    while !records.is_empty() {
        match Batch::split(&mut records) {
            Ok(batch) => batches.push(batch),
            Err(BatchError::Truncated { .. }) if !batches.is_empty() => break,
            Err(error) => return Err(AppendError::Corrupt(error)),
        }
    }
    if batches.is_empty() { Err(InvalidBatch::BatchCount { found: 0 }.into()) } else { Ok(batches) }
}

/// Batches that this broker made for this log.
pub(super) fn from_coordinator(
    records: Bytes,
    config: &LogConfig,
) -> Result<Vec<Batch>, AppendError> {
    let batches = from_broker(records)?;
    batches.iter().try_for_each(|batch| check_size(batch, config))?;
    Ok(batches)
}

fn check_size(batch: &Batch, config: &LogConfig) -> Result<(), AppendError> {
    let (size, max) = (batch.size(), config.max_message_bytes as usize);
    if size > max { Err(AppendError::TooLarge { size, max }) } else { Ok(()) }
}

fn check_header(batch: &Batch, config: &LogConfig) -> Result<(), AppendError> {
    check_size(batch, config)?;
    let (count, last_offset_delta) = (batch.record_count(), batch.last_offset_delta());
    if i64::from(count) != i64::from(last_offset_delta) + 1 {
        return Err(InvalidBatch::RecordCount { count, last_offset_delta }.into());
    }
    if batch.base_offset().0 != 0 {
        return Err(InvalidBatch::BaseOffset(batch.base_offset()).into());
    }
    if batch.is_control() {
        return Err(InvalidBatch::Control.into());
    }
    let idempotent = batch.producer_id() > ProducerId::NONE;
    if idempotent && (batch.base_sequence() < 0 || batch.producer_epoch() <= ProducerEpoch::NONE) {
        return Err(InvalidBatch::ProducerId.into());
    }
    batch.compression()?;
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        let message = "the producer may not set the timestamp type to LogAppendTime".to_owned();
        return Err(AppendError::InvalidTimestamp {
            records: vec![RecordError { index: 0, message }],
        });
    }
    Ok(())
}

/// Why a batch's records have to be looked at one by one.
#[derive(Clone, Copy, Debug)]
struct Inspection {
    keys: bool,
    /// The earliest and latest timestamp accepted, if one of the batch may lie outside.
    timestamps: Option<(i64, i64)>,
}

impl Inspection {
    fn of(batch: &Batch, config: &LogConfig, now: Timestamp) -> Self {
        let earliest = now.0.saturating_sub(config.timestamp_before_max_ms);
        let latest = now.0.saturating_add(config.timestamp_after_max_ms);
        // The header knows the greatest timestamp but not the least one.
        let bounded_below = config.timestamp_before_max_ms != i64::MAX;
        let checked = config.timestamp_type == TimestampType::CreateTime
            && (bounded_below || batch.max_timestamp().0 > latest);
        Self { keys: config.compact, timestamps: checked.then_some((earliest, latest)) }
    }

    fn is_needed(self) -> bool {
        self.keys || self.timestamps.is_some()
    }

    fn run(self, batch: &Batch) -> Result<(), AppendError> {
        let mut faults = Faults::default();
        let records = batch.records(InflateLimit::default());
        let records = records.map_err(|error| unreadable(batch, error))?;
        for (index, record) in (0..).zip(records) {
            let record = record.map_err(|error| unreadable(batch, error))?;
            self.check(index, &record, &mut faults);
            if faults.records.len() == RECORD_ERRORS_MAX {
                break;
            }
        }
        faults.into_result()
    }

    fn check(self, index: i32, record: &Record, faults: &mut Faults) {
        if self.keys && record.key.is_none() {
            let message = "a compacted topic accepts no record without a key".to_owned();
            faults.records.push(RecordError { index, message });
            return;
        }
        let at = record.timestamp;
        if let Some((earliest, latest)) = self.timestamps
            && at != Timestamp::NONE
            && (at.0 < earliest || at.0 > latest)
        {
            let message = format!("timestamp {} is outside {earliest}..={latest}", at.0);
            faults.records.push(RecordError { index, message });
            faults.timestamp = true;
        }
    }
}

#[derive(Debug, Default)]
struct Faults {
    records: Vec<RecordError>,
    /// At least one of them is about a timestamp, which then names the whole.
    timestamp: bool,
}

impl Faults {
    fn into_result(self) -> Result<(), AppendError> {
        match self {
            Self { records, .. } if records.is_empty() => Ok(()),
            Self { records, timestamp: true } => Err(AppendError::InvalidTimestamp { records }),
            Self { records, .. } => {
                Err(AppendError::Invalid { reason: InvalidBatch::MissingKey, records })
            }
        }
    }
}

/// Enough to tell what is wrong: a small batch can inflate to millions of records, all of them so.
const RECORD_ERRORS_MAX: usize = 1000;

/// The records inside a batch that is whole itself.
fn unreadable(batch: &Batch, error: BatchError) -> AppendError {
    match error {
        BatchError::Codec(CodecError::TooLarge { allowed, .. }) => {
            AppendError::TooLarge { size: batch.size(), max: allowed }
        }
        BatchError::Codec(_) => AppendError::Corrupt(error),
        _ => InvalidBatch::Records.into(),
    }
}

impl From<InvalidBatch> for AppendError {
    fn from(reason: InvalidBatch) -> Self {
        Self::Invalid { reason, records: Vec::new() }
    }
}

/// A client's batch that is none.
impl From<BatchError> for AppendError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::BadMagic(magic @ 0..=1) => InvalidBatch::OldFormat(magic).into(),
            // Cut short: there is no batch to judge.
            BatchError::Truncated { .. } => InvalidBatch::BatchCount { found: 0 }.into(),
            BatchError::BadOffsets { base_offset, .. } if base_offset != 0 => {
                InvalidBatch::BaseOffset(Offset(base_offset)).into()
            }
            BatchError::BadOffsets { last_offset_delta, .. } => {
                InvalidBatch::RecordCount { count: 0, last_offset_delta }.into()
            }
            BatchError::BadCount { record_count: count, last_offset_delta } => {
                InvalidBatch::RecordCount { count, last_offset_delta }.into()
            }
            error => Self::Corrupt(error),
        }
    }
}

impl From<CodecError> for AppendError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Unknown { id } => Self::UnsupportedCodec(id),
            error => Self::Corrupt(error.into()),
        }
    }
}
