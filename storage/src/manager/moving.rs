//! Moving a log from one directory to another while it is read and written (KIP-113).
//!
//! The copy grows under a name of its own ([`FutureLog::copy_some`]) until it is nearly as long as
//! the log. Then nobody writes for a moment, the rest follows, and [`LastStep::take_over`] gives the
//! copy the partition's name, durably, before the caller has the old log deleted. A crash leaves
//! the old log, both, or the new one. Of both, each holds everything that was promised: whoever
//! loads the directories keeps one.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, MutexGuard},
};

use milena_protocol::{Offset, Timestamp, Uuid, records::Batch, wire::Records};
use tracing::warn;

use super::{Manager, ManagerError, Open, PartitionName};
use crate::{
    log::{Append, Log, LogConfig, OpenLog, Origin, ReadError, ReadLimits},
    meta,
};

/// A log in the making. Dropped without [`FutureLog::abandon`], its directory goes with the next
/// start.
#[derive(Debug)]
pub struct FutureLog {
    name: PartitionName,
    topic_id: Uuid,
    dir: PathBuf,
    log: Log,
    cleaned_to: Option<Offset>,
}

/// The turn of a move's last step at the directory that it leads to.
#[derive(Debug)]
pub struct LastStep<'a> {
    manager: &'a Manager,
    _noting: MutexGuard<'a, ()>,
    _turn: MutexGuard<'a, ()>,
}

impl Manager {
    /// Begins a copy of `source` here, which compaction has come to `cleaned_to` in and leaves
    /// alone from now on.
    ///
    /// # Errors
    /// [`ManagerError::Present`] if the partition's log is in this directory already. A log that an
    /// earlier move could not take away is no longer the partition's, and goes.
    pub fn begin_copy(
        &self,
        name: &PartitionName,
        topic_id: Uuid,
        source: &Log,
        cleaned_to: Option<Offset>,
        now: Timestamp,
    ) -> Result<FutureLog, ManagerError> {
        let begins = first_batch(source).map_err(|error| copy_error(name, error))?;
        let _turn = self.turn();
        if self.disk.exists(&self.dir(name)) {
            let found = meta::load_topic_id(&*self.disk, &self.dir(name))?.whole();
            if self.get(name).is_some() || found != Some(topic_id) {
                return Err(ManagerError::Present { name: name.clone() });
            }
            warn!(%name, dir = %self.root.display(), "deleting what an earlier move left");
            let deleted = self.rename_away(name, found)?;
            self.disk.sync_dir(&self.root)?;
            deleted.remove(&*self.disk)?;
        }
        let future = name.future(topic_id).ok_or_else(|| ManagerError::BadName {
            topic: name.topic().to_owned(),
            partition: name.partition(),
        })?;
        let dir = self.root.join(future);
        if self.disk.exists(&dir) {
            self.disk.remove_dir_all(&dir)?;
        }
        self.disk.create_dir_all(&dir)?;
        meta::save_topic_id(&*self.disk, &dir, topic_id)?;
        let open = OpenLog {
            recovery_point: Offset::ZERO,
            log_start: begins,
            gaps_below: Offset::ZERO,
            clean_stop: false,
            settled: false,
            now,
        };
        let (log, _) = Log::open(Arc::clone(&self.disk), &dir, source.config(), open)
            .map_err(|error| ManagerError::Open { name: name.clone(), error })?;
        Ok(FutureLog { name: name.clone(), topic_id, dir, log, cleaned_to })
    }

    /// Waits for whoever writes checkpoints of this directory or has logs come and go. So it comes
    /// before writers are kept from the log that moves, else all of them wait, too.
    pub fn last_step(&self) -> LastStep<'_> {
        LastStep { manager: self, _noting: self.noting(), _turn: self.turn() }
    }

    fn take_name(
        &self,
        future: &FutureLog,
        source: &Log,
        now: Timestamp,
    ) -> Result<Arc<LogConfig>, ManagerError> {
        let FutureLog { name, dir, log, cleaned_to, .. } = future;
        let config = source.config();
        log.set_config(Arc::clone(&config));
        let (start, end) = source.bounds();
        let left = find_some(source, log.end_offset().max(start), end, 0);
        if !left.map_err(|error| copy_error(name, error))?.is_empty() {
            return Err(copy_error(name, "it is not complete"));
        }
        // The offsets of what compaction or retention took from the end were given away.
        log.advance_end(end, now).map_err(|error| copy_error(name, error))?;
        log.advance_start(start).map_err(|error| copy_error(name, error))?;
        let end = log.close().map_err(|error| ManagerError::Flush { name: name.clone(), error })?;
        // A start has to believe the copy as far as it goes: compaction may have left gaps in it.
        self.note_copied(name, end, log.start_offset(), *cleaned_to, source.noted_gaps())?;
        self.disk.rename(dir, &self.dir(name))?;
        self.disk.sync_dir(&self.root)?;
        Ok(config)
    }

    /// The files have other names now than those that the copy knows.
    fn reopen(
        &self,
        name: &PartitionName,
        topic_id: Uuid,
        config: &Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Arc<Log>, crate::recovery::OpenError> {
        let open = OpenLog { clean_stop: true, ..self.known_of(name, now) };
        let (log, _) =
            Log::open(Arc::clone(&self.disk), &self.dir(name), Arc::clone(config), open)?;
        let log = Arc::new(log);
        let entry = Open { log: Arc::clone(&log), topic_id: Some(topic_id) };
        self.insert(name.clone(), entry);
        Ok(log)
    }

    fn clear(&self, dir: &std::path::Path) -> io::Result<()> {
        if self.disk.exists(dir) {
            self.disk.remove_dir_all(dir)?;
            self.disk.sync_dir(&self.root)?;
        }
        Ok(())
    }
}

impl LastStep<'_> {
    /// Makes a finished copy the partition's log in this directory, durably. Nobody may have
    /// written to `source` since the copy was complete.
    ///
    /// # Errors
    /// The copy is gone then, and `source` is the partition's log as before.
    pub fn take_over(
        self,
        future: &FutureLog,
        source: &Log,
        now: Timestamp,
    ) -> Result<Arc<Log>, ManagerError> {
        let manager = self.manager;
        let name = &future.name;
        let taken = manager.take_name(future, source, now).and_then(|config| {
            let entry = manager.reopen(name, future.topic_id, &config, now);
            let log = entry.map_err(|error| ManagerError::Open { name: name.clone(), error })?;
            // It may have no record yet.
            if let Some(epoch) = source.latest_epoch() {
                log.assign_epoch(epoch);
            }
            log.take_verifications(source);
            Ok(log)
        });
        if taken.is_err() {
            for left in [&future.dir, &manager.dir(name)] {
                if let Err(error) = manager.clear(left) {
                    warn!(dir = %left.display(), %error, "an unfinished copy stays");
                }
            }
        }
        taken
    }
}

impl FutureLog {
    /// Copies the next batches of `source`, a bounded number of bytes; how many, 0 once all that
    /// was there is here.
    ///
    /// # Errors
    /// The copy cannot go on.
    pub fn copy_some(&self, source: &Log, now: Timestamp) -> Result<u64, ManagerError> {
        let failed = |error: &dyn std::fmt::Display| copy_error(&self.name, error);
        let from = self.log.end_offset();
        // What retention has taken from the source meanwhile will not be asked for.
        let (start, end) = source.bounds();
        if from >= end {
            return Ok(0);
        }
        let records = find_some(source, from.max(start), end, CHUNK_BYTES)
            .map_err(|error| failed(&error))?
            .to_bytes()?;
        let copied = records.len() as u64;
        if copied > 0 {
            let leader_epoch = source.latest_epoch().unwrap_or_default();
            let append = Append { origin: Origin::Replica, leader_epoch, now };
            self.log.append(records, append).map_err(|error| failed(&error))?;
        }
        Ok(copied)
    }

    /// Makes what was copied so far durable, so that there is little left to do at the end.
    ///
    /// # Errors
    /// The copy cannot be trusted any more.
    pub fn flush(&self) -> Result<(), ManagerError> {
        let flushed = self.log.flush();
        flushed.map(drop).map_err(|error| ManagerError::Flush { name: self.name.clone(), error })
    }

    pub fn size_bytes(&self) -> u64 {
        self.log.size_bytes()
    }

    pub fn end_offset(&self) -> Offset {
        self.log.end_offset()
    }

    /// Frees what was copied.
    ///
    /// # Errors
    /// What the disk reports; it goes with the next start then.
    pub fn abandon(self, manager: &Manager) -> io::Result<()> {
        let _turn = manager.turn();
        manager.clear(&self.dir)
    }
}

/// Where the first batch begins, which may be before the log does.
fn first_batch(source: &Log) -> Result<Offset, io::Error> {
    let (start, end) = source.bounds();
    let mut records = find_some(source, start, end, 0).map_err(io::Error::other)?.to_bytes()?;
    if records.is_empty() {
        return Ok(start);
    }
    let batch = Batch::split(&mut records).map_err(io::Error::other)?;
    Ok(batch.base_offset().min(start))
}

/// At least one batch if there is any.
fn find_some(
    source: &Log,
    from: Offset,
    end: Offset,
    max_bytes: usize,
) -> Result<Records, ReadError> {
    let limits = ReadLimits { max_bytes, upper: end, at_least_one: true };
    source.read(from, limits).map(|found| found.records)
}

fn copy_error(name: &PartitionName, error: impl std::fmt::Display) -> ManagerError {
    ManagerError::Copy { name: name.clone(), reason: error.to_string() }
}

/// Read and written at a time.
const CHUNK_BYTES: usize = 1 << 20;
