//! Making partitions and taking them away, many at a time: what costs most, the syncs, is done
//! once for all of them.
//!
//! Until then a crash may leave any part of what was made. A start finds a directory with the
//! topic's id and opens it, after making sure of it; or without, and then it is begun anew, as
//! nothing was ever written to it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use milena_protocol::{Offset, Timestamp, Uuid};
use tracing::warn;

use super::{Manager, ManagerError, Open, PartitionName, noted::key};
use crate::{
    fs::Disk,
    log::{Log, LogConfig},
    meta,
    segment::name::{self, Kind},
};

/// A directory that is no partition's any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedPartition {
    dir: PathBuf,
}

/// What there is of a partition that is asked for.
enum Present {
    Open(Arc<Log>),
    Directory,
    Nothing,
}

type Made = Result<Arc<Log>, ManagerError>;

impl Manager {
    /// The log of this partition: begun, or opened if its directory is there with the same topic
    /// id. The directory survives a crash once this returns.
    ///
    /// # Errors
    /// [`ManagerError::ForeignTopic`] if the directory belongs to another topic.
    pub fn create(
        &self,
        topic: &str,
        topic_id: Uuid,
        partition: i32,
        config: &Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Arc<Log>, ManagerError> {
        let name = PartitionName::new(topic, partition)
            .ok_or_else(|| ManagerError::BadName { topic: topic.to_owned(), partition })?;
        let made = self.create_all(std::slice::from_ref(&name), topic_id, config, now).pop();
        made.unwrap_or(Err(ManagerError::NotOpen { name }))
    }

    /// The same for several partitions of one topic, each named once. There is one outcome for each,
    /// in their order.
    pub fn create_all(
        &self,
        names: &[PartitionName],
        topic_id: Uuid,
        config: &Arc<LogConfig>,
        now: Timestamp,
    ) -> Vec<Result<Arc<Log>, ManagerError>> {
        let _turn = self.turn();
        let present: Vec<_> = names.iter().map(|name| self.present(name, topic_id)).collect();
        let new = names.iter().zip(&present).filter(|(_, it)| matches!(it, Ok(Present::Nothing)));
        let new: Vec<&PartitionName> = new.map(|(name, _)| name).collect();
        let mut begun = self.begin_all(&new, topic_id, config, now).into_iter();
        let outcome =
            |(name, present): (&PartitionName, Result<Present, ManagerError>)| match present? {
                Present::Open(log) => Ok(log),
                Present::Directory => self.adopt(name, topic_id).and_then(|()| {
                    let opened = self.open_log(name, config, self.known_of(name, now));
                    let failed = |error| ManagerError::Open { name: name.clone(), error };
                    let (log, _) = opened.map_err(failed)?;
                    let open = Open { log: Arc::clone(&log), topic_id: Some(topic_id) };
                    self.insert(name.clone(), open);
                    Ok(log)
                }),
                Present::Nothing => begun
                    .next()
                    .unwrap_or_else(|| Err(ManagerError::NotOpen { name: name.clone() })),
            };
        names.iter().zip(present).map(outcome).collect()
    }

    /// Ends a partition: its log is offline, and its directory has another name, under which it
    /// cannot come back. What holds the log or reads from it still can, until the directory is
    /// removed. A directory whose log could not be opened goes, too.
    ///
    /// # Errors
    /// [`ManagerError::NotOpen`] if there is neither, or what the disk reports; the log is offline
    /// in any case.
    pub fn delete(&self, name: &PartitionName) -> Result<DeletedPartition, ManagerError> {
        let deleted = self.delete_all(std::slice::from_ref(name)).pop();
        deleted.unwrap_or_else(|| Err(ManagerError::NotOpen { name: name.clone() }))
    }

    /// The same for several partitions, with one outcome for each, in their order.
    pub fn delete_all(
        &self,
        names: &[PartitionName],
    ) -> Vec<Result<DeletedPartition, ManagerError>> {
        let _turn = self.turn();
        let renamed: Vec<_> = names.iter().map(|name| self.retire(name)).collect();
        if renamed.iter().all(Result::is_err) {
            return renamed;
        }
        match self.disk.sync_dir(&self.root) {
            Ok(()) => renamed,
            Err(error) => renamed.into_iter().map(|it| it.and(Err(copy_of(&error)))).collect(),
        }
    }

    /// Makes sure of directories that may have been made right before a crash. What is noted was
    /// durable before.
    pub(super) fn settle(&self, names: &[&PartitionName]) -> io::Result<()> {
        let doubtful: Vec<PathBuf> = {
            let noted = self.noted();
            let is_noted = |name: &PartitionName| noted.recovery_points.contains_key(&key(name));
            names.iter().filter(|name| !is_noted(name)).map(|name| self.dir(name)).collect()
        };
        match doubtful.len() {
            0 => Ok(()),
            1..=SYNCED_ALONE_MAX => {
                for dir in &doubtful {
                    meta::sync_topic_id(&*self.disk, dir)?;
                    self.disk.sync_dir(dir)?;
                }
                self.disk.sync_dir(&self.root)
            }
            _ => self.disk.sync_all(&self.root),
        }
    }

    /// Gives a directory a name under which the next start removes it. The caller syncs the root.
    pub(super) fn rename_away(
        &self,
        name: &PartitionName,
        topic_id: Option<Uuid>,
    ) -> Result<DeletedPartition, ManagerError> {
        let dir = self.root.join(name.deleted(topic_id.unwrap_or(Uuid::ZERO)));
        if self.disk.exists(&dir) {
            // Deleted, begun again under the same id, and deleted again.
            self.disk.remove_dir_all(&dir)?;
        }
        self.disk.rename(&self.dir(name), &dir)?;
        Ok(DeletedPartition { dir })
    }

    fn present(&self, name: &PartitionName, topic_id: Uuid) -> Result<Present, ManagerError> {
        if let Some(open) = self.open_logs().get(name) {
            return match open.topic_id {
                Some(found) if found == topic_id => Ok(Present::Open(Arc::clone(&open.log))),
                found => Err(foreign(name, found, topic_id)),
            };
        }
        let is_there = self.disk.exists(&self.dir(name));
        Ok(if is_there { Present::Directory } else { Present::Nothing })
    }

    fn begin_all(
        &self,
        names: &[&PartitionName],
        topic_id: Uuid,
        config: &Arc<LogConfig>,
        now: Timestamp,
    ) -> Vec<Made> {
        if names.is_empty() {
            return Vec::new();
        }
        let many = names.len() > SYNCED_ALONE_MAX;
        if let Err(error) = self.forget_all(names) {
            return names.iter().map(|_| Err(copy_of(&error))).collect();
        }
        let begin = |name: &&PartitionName| self.begin(name, topic_id, config, now, !many);
        let begun: Vec<io::Result<Log>> = names.iter().map(begin).collect();
        let synced =
            if many { self.disk.sync_all(&self.root) } else { self.disk.sync_dir(&self.root) };
        let finish = |(name, begun): (&&PartitionName, io::Result<Log>)| {
            let log = Arc::new(begun?);
            if let Err(error) = &synced {
                // Nothing may be assumed of it; the next attempt begins anew.
                self.clear_away(name);
                return Err(copy_of(error));
            }
            let open = Open { log: Arc::clone(&log), topic_id: Some(topic_id) };
            self.insert((*name).clone(), open);
            Ok(log)
        };
        names.iter().zip(begun).map(finish).collect()
    }

    /// Makes a partition's directory and what is in it; all but the directory's name is synced if
    /// `alone`.
    fn begin(
        &self,
        name: &PartitionName,
        topic_id: Uuid,
        config: &Arc<LogConfig>,
        now: Timestamp,
        alone: bool,
    ) -> io::Result<Log> {
        let dir = self.dir(name);
        self.disk.create_dir(&dir)?;
        let fill = || {
            let id = meta::begin_topic_id(&*self.disk, &dir, topic_id)?;
            let log = Log::begin(Arc::clone(&self.disk), &dir, Arc::clone(config), now)?;
            if alone {
                id.sync_data()?;
                self.disk.sync_dir(&dir)?;
            }
            Ok(log)
        };
        fill().inspect_err(|_| self.clear_away(name))
    }

    /// A directory that is there must be this topic's; one that a crash left without anything in
    /// it becomes it.
    fn adopt(&self, name: &PartitionName, topic_id: Uuid) -> Result<(), ManagerError> {
        let dir = self.dir(name);
        let found = meta::load_topic_id(&*self.disk, &dir)?.whole();
        if found == Some(topic_id) {
            return Ok(self.settle(&[name])?);
        }
        if found.is_some() || self.may_hold_records(name)? {
            return Err(foreign(name, found, topic_id));
        }
        self.forget_all(&[name])?;
        meta::save_topic_id(&*self.disk, &dir, topic_id)?;
        Ok(self.disk.sync_dir(&self.root)?)
    }

    /// Whether there is more in a directory than a log that was just begun.
    fn may_hold_records(&self, name: &PartitionName) -> io::Result<bool> {
        let first = name::file_name(Offset::ZERO, Kind::Log);
        let is_noted = self.noted().recovery_points.contains_key(&key(name));
        let entries = self.disk.read_dir(&self.dir(name))?;
        let mut logs = entries.iter().filter(|entry| entry.name.ends_with(".log"));
        Ok(logs.any(|log| is_noted || log.name != first || log.len > 0))
    }

    fn retire(&self, name: &PartitionName) -> Result<DeletedPartition, ManagerError> {
        let removed = self.logs.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        match &removed {
            Some(open) => open.log.retire(),
            None if self.disk.exists(&self.dir(name)) => {}
            None => return Err(ManagerError::NotOpen { name: name.clone() }),
        }
        self.rename_away(name, removed.and_then(|open| open.topic_id))
    }

    /// Removes what could not be made durable. What stays is adopted when it is asked for again.
    fn clear_away(&self, name: &PartitionName) {
        let dir = self.dir(name);
        if let Err(error) = self.disk.remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(dir = %dir.display(), %error, "what was made of a partition stays");
        }
    }
}

impl DeletedPartition {
    /// Frees the space. What a crash keeps from being removed goes with the next start.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove_dir_all(&self.dir)
    }
}

fn foreign(name: &PartitionName, found: Option<Uuid>, expected: Uuid) -> ManagerError {
    ManagerError::ForeignTopic { name: name.clone(), found, expected }
}

/// One failure is many partitions'.
fn copy_of(error: &io::Error) -> ManagerError {
    io::Error::new(error.kind(), error.to_string()).into()
}

/// So many are synced one by one, which waits for nobody else's data. More are synced together with
/// all that is on the volume.
const SYNCED_ALONE_MAX: usize = 16;

#[cfg(test)]
mod tests;
