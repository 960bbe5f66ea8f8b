//! Appending: offsets are assigned by patching headers, and everything goes to the file in one
//! vectored write from where it lies.

use std::{io::IoSlice, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp,
    records::{Batch, BatchHeader, HEADER_BYTES, HeaderPatch, TimestampType},
};
use tracing::{info, warn};

use super::{
    AppendError, InvalidBatch, Log, LogConfig, check, producing,
    state::{Mark, Writer},
};
use crate::{
    producers::{self, CompletedTransaction, VerificationGuard},
    segment::{IndexSizes, Located, Segment, WriteError},
};

/// The circumstances of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    pub origin: Origin,
    /// The epoch in which this broker leads the partition; a replica's batches keep their own.
    pub leader_epoch: LeaderEpoch,
    pub now: Timestamp,
}

/// Who made the batches, which decides what is checked and what is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One batch from outside: everything is checked.
    Client,
    /// The same, of a transaction that its coordinator has said to be open here: see
    /// [`Log::begin_verification`].
    Verified(VerificationGuard),
    /// This broker's own batches for its internal topics, control batches among them. Their
    /// producers are held to their epochs but have no sequences.
    Coordinator,
    /// The same of transactions of version 2, whose markers bump their producer's epoch: one that
    /// comes late does not end the transaction after its own (KIP-890).
    BumpingCoordinator,
    /// Batches of a leader, with their offsets: they are written as they are.
    Replica,
}

/// What a producer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// Set where the topic stamps its records.
    pub log_append_time: Option<Timestamp>,
    pub log_start: Offset,
    /// The batch was here already, at these offsets; nothing was written.
    pub duplicate: bool,
}

impl Log {
    /// Checks and writes, and shows readers what was written. Nothing is durable before
    /// [`Log::flush`].
    ///
    /// # Errors
    /// Nothing was written, whatever the reason.
    pub fn append(&self, records: Bytes, append: Append) -> Result<Appended, AppendError> {
        let config = self.config();
        match append.origin {
            Origin::Client | Origin::Verified(_) => {
                let batch = check::from_client(records, &config, append.now)?;
                self.append_checked(&[batch], append, &config)
            }
            Origin::Coordinator | Origin::BumpingCoordinator => {
                let batches = check::from_coordinator(records, &config)?;
                self.append_checked(&batches, append, &config)
            }
            Origin::Replica => self.append_replica(&records, append, &config),
        }
    }

    /// Closes the active segment if it is old enough, so that retention can reach what is in it.
    ///
    /// # Errors
    /// As [`Log::append`]; the segment stays active.
    pub fn roll_if_due(&self, now: Timestamp) -> Result<bool, AppendError> {
        let config = self.config();
        let mut writer = self.open_writer()?;
        let due = writer.position > 0 && self.is_old(&writer.active, now, now, &config);
        if due {
            let base = writer.next;
            self.roll(&mut writer, base, &config, now)?;
        }
        Ok(due)
    }

    /// Lets a copy end at `to`, where the log that it is a copy of does: compaction took what lay
    /// before. An end that lies before the present one changes nothing.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub(crate) fn advance_end(&self, to: Offset, now: Timestamp) -> Result<(), AppendError> {
        let config = self.config();
        let mut writer = self.open_writer()?;
        if to <= writer.next {
            return Ok(());
        }
        // No batch says how far the log goes, but the name of a segment does.
        self.roll(&mut writer, to, &config, now)?;
        writer.next = to;
        writer.producers.advance_end(to);
        self.state_mut().end = Mark { offset: to, segment: to, position: 0 };
        Ok(())
    }

    fn append_checked(
        &self,
        batches: &[Batch],
        append: Append,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        let stamped = config.timestamp_type == TimestampType::LogAppendTime;
        let log_append_time = stamped.then_some(append.now);
        let origin = append.origin.of_producers(config);
        let mut writer = self.open_writer()?;
        for batch in batches {
            if let Some(written) = producing::admit(&writer.producers, batch, origin)? {
                return Ok(Appended {
                    base_offset: written.first_offset(),
                    last_offset: written.last_offset,
                    log_append_time: stamped.then_some(written.timestamp),
                    log_start: self.start_offset(),
                    duplicate: true,
                });
            }
        }
        let mut next = writer.next;
        let mut header_of = |batch: &Batch| {
            let patch = HeaderPatch {
                base_offset: next,
                leader_epoch: append.leader_epoch,
                log_append_time,
            };
            next = next.plus(i64::from(batch.last_offset_delta()) + 1);
            patch.header(batch)
        };
        let written = match batches {
            // The common case takes no memory.
            [batch] => self.write(&mut writer, &[header_of(batch)], batches, append.now, config),
            _ => {
                let headers: Headers = batches.iter().map(header_of).collect();
                self.write(&mut writer, &headers, batches, append.now, config)
            }
        };
        written.map(|written| Appended { log_append_time, ..written })
    }

    fn append_replica(
        &self,
        records: &Bytes,
        append: Append,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        let batches = check::from_broker(records.clone())?;
        let headers: Headers = batches.iter().map(|batch| *batch.header()).collect();
        let mut writer = self.open_writer()?;
        let mut expected = writer.next;
        for header in &headers {
            // Compaction leaves gaps, but nothing comes twice.
            if header.base_offset < expected {
                return Err(AppendError::NotNext { expected, found: header.base_offset });
            }
            expected = header.last_offset().next();
        }
        self.write(&mut writer, &headers, &batches, append.now, config)
    }

    /// Writes batches under the given headers, then tells indexes, epochs, producers and readers.
    fn write(
        &self,
        writer: &mut Writer,
        headers: &[BatchHeader],
        batches: &[Batch],
        now: Timestamp,
        config: &LogConfig,
    ) -> Result<Appended, AppendError> {
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
            return Err(InvalidBatch::BatchCount { found: 0 }.into());
        };
        let appended = Appended {
            base_offset: first.base_offset,
            last_offset: last.last_offset(),
            log_append_time: None,
            log_start: self.start_offset(),
            duplicate: false,
        };
        let bytes: u64 = headers.iter().map(|header| header.size() as u64).sum();
        let newest = headers.iter().map(|header| header.max_timestamp).max().unwrap_or_default();
        if self.must_roll(writer, bytes, appended.last_offset, newest, now, config) {
            self.roll(writer, first.base_offset, config, now)?;
        }
        self.touch();
        self.write_out(writer, headers, batches)?;

        let mut position = writer.position;
        for header in headers {
            writer.active.note(&Located { position, header: *header }, config.index_interval_bytes);
            position += header.size() as u64;
            self.note_epoch(header.leader_epoch, header.base_offset);
        }
        for (header, batch) in headers.iter().zip(batches) {
            let marker = producing::end_marker(batch);
            let ended = producing::note(&mut writer.producers, header, marker, now);
            if let Some(aborted) = ended.and_then(CompletedTransaction::if_aborted) {
                self.note_aborted(&writer.active, aborted);
            }
        }
        self.stability.publish(&writer.producers);
        let from = std::mem::replace(&mut writer.position, position);
        writer.next = appended.last_offset.next();
        writer.active.publish(position);
        writer.active.note_written(from, position, writer.next);
        self.state_mut().end = Mark { offset: writer.next, segment: writer.active.base, position };
        Ok(appended)
    }

    fn write_out(
        &self,
        writer: &Writer,
        headers: &[BatchHeader],
        batches: &[Batch],
    ) -> Result<(), AppendError> {
        let written = match (headers, batches) {
            ([header], [batch]) => {
                let header = header.to_bytes();
                let mut slices = [IoSlice::new(&header), IoSlice::new(body(batch))];
                writer.active.write(&mut slices, writer.position)
            }
            _ => {
                let headers: Vec<[u8; HEADER_BYTES]> =
                    headers.iter().map(BatchHeader::to_bytes).collect();
                let mut slices: Vec<IoSlice<'_>> = headers
                    .iter()
                    .zip(batches)
                    .flat_map(|(header, batch)| [IoSlice::new(header), IoSlice::new(body(batch))])
                    .collect();
                writer.active.write(&mut slices, writer.position)
            }
        };
        written.map_err(|error| match error {
            WriteError::Undone(error) => {
                warn!(dir = %self.dir.display(), %error, "append undone");
                error.into()
            }
            WriteError::Torn { error, undo } => AppendError::Offline(self.go_offline(
                format_args!("write failed ({error}) and could not be undone ({undo})"),
            )),
        })
    }

    fn must_roll(
        &self,
        writer: &Writer,
        bytes: u64,
        last_offset: Offset,
        newest: Timestamp,
        now: Timestamp,
        config: &LogConfig,
    ) -> bool {
        let active = &writer.active;
        let relative = last_offset.0.saturating_sub(active.base.0);
        if writer.position == 0 {
            // An empty segment takes whatever comes, unless its name is too far away from it.
            return relative > i64::from(i32::MAX) && active.base < writer.next;
        }
        writer.position.saturating_add(bytes) > config.segment_bytes
            || relative > i64::from(i32::MAX)
            || active.indexes_full()
            || self.is_old(active, newest, now, config)
    }

    /// As Kafka measures it: from the first batch's timestamp to the one that is about to come.
    fn is_old(
        &self,
        active: &Segment,
        newest: Timestamp,
        now: Timestamp,
        config: &LogConfig,
    ) -> bool {
        let jitter = self.jitter_ms(active.base, config);
        active.age_ms(newest, now) > config.segment_ms.saturating_sub(jitter)
    }

    /// The same for one segment whenever it is asked, and spread over logs.
    fn jitter_ms(&self, base: Offset, config: &LogConfig) -> i64 {
        let bound = config.segment_jitter_ms.min(config.segment_ms);
        if bound <= 0 {
            return 0;
        }
        let name = crc32c::crc32c(self.dir.as_os_str().as_encoded_bytes());
        let dice = crc32c::crc32c_append(name, &base.0.to_be_bytes());
        i64::from(dice) % bound
    }

    /// Seals the active segment and begins the next at `base`, the log's end or beyond.
    pub(super) fn roll(
        &self,
        writer: &mut Writer,
        base: Offset,
        config: &LogConfig,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        self.touch();
        let next = Segment::create(&self.disk, &self.dir, base, IndexSizes::of(config), now)?;
        if config.preallocate
            && let Err(error) = next.allocate(config.segment_bytes)
        {
            warn!(dir = %self.dir.display(), %error, "no room reserved");
        }
        let next = Arc::new(next);
        // Both can be worked out again from the log, so that a full disk need not stop it here.
        if let Err(error) = writer.active.seal() {
            warn!(dir = %self.dir.display(), %error, "index not sealed");
        }
        if let Err(error) = writer.producers.take_snapshot(&*self.disk, &self.dir) {
            warn!(dir = %self.dir.display(), %error, "no producer snapshot");
        }
        let sealed = std::mem::replace(&mut writer.active, Arc::clone(&next));
        (writer.position, writer.snapshot_at) = (0, 0);
        info!(dir = %self.dir.display(), base = base.0, bytes = sealed.size(), "rolled segment");
        let mut state = self.state_mut();
        state.unsynced.push(sealed);
        state.directory_unsynced = true;
        state.segments.push(next);
        Ok(())
    }
}

impl Origin {
    fn of_producers(self, config: &LogConfig) -> producers::Origin {
        match self {
            Self::Client if config.verify_transactions => producers::Origin::Verified(None),
            Self::Client => producers::Origin::Client,
            Self::Verified(guard) => producers::Origin::Verified(Some(guard)),
            Self::Coordinator => producers::Origin::Coordinator,
            Self::BumpingCoordinator => producers::Origin::BumpingCoordinator,
            Self::Replica => producers::Origin::Replica,
        }
    }
}

fn body(batch: &Batch) -> &[u8] {
    batch.bytes().get(HEADER_BYTES..).unwrap_or_default()
}

type Headers = Vec<BatchHeader>;
