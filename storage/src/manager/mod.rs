//! All logs of one directory.
//!
//! | file                               | says                                               |
//! |------------------------------------|----------------------------------------------------|
//! | `.lock`                            | one process at a time                              |
//! | `meta.properties`                  | whose directory this is                            |
//! | `.kafka_cleanshutdown`             | all logs were closed in order; gone while in use   |
//! | `recovery-point-offset-checkpoint` | below, nothing need be read again after a crash; and a copy of the next |
//! | `log-start-offset-checkpoint`      | below, records were deleted                        |
//! | `cleaner-offset-checkpoint`        | below, compaction has been, and how far it may have left gaps |
//! | `<topic>-<partition>/`             | a log, and in `partition.metadata` its topic's id  |
//! | `<topic>-<partition>.<id>-future/` | its copy, on the way here from another directory; begun anew after a start |
//! | `....<id>-delete/`                 | was a log; goes at the latest with the next start  |

mod compacted;
mod error;
mod making;
mod moving;
mod name;
mod noted;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use milena_protocol::{Timestamp, Uuid};
use tracing::{info, warn};

use self::noted::Noted;
pub(crate) use self::{
    compacted::{CLEANED, Compacted},
    noted::{LOG_STARTS, RECOVERY_POINTS, take_starts, write_points},
};
pub use self::{
    error::ManagerError,
    making::DeletedPartition,
    moving::{FutureLog, LastStep},
    name::PartitionName,
};
use crate::{
    checkpoint::{self, Found},
    fs::{Disk, Lock, Space},
    log::{Log, LogConfig, OpenLog},
    meta::{self, MetaProperties},
    planted::{Bug, is_planted},
    recovery::{self, OpenError, Recovered},
};

/// Holds the directory until it is closed or dropped. Safe to share; creating, deleting and loading
/// take turns, [`Manager::get`] waits for none of them.
#[derive(Debug)]
pub struct Manager {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    meta: MetaProperties,
    /// The last run closed every log in order.
    clean_stop: bool,
    /// Partitions that were on their way here when the last run ended.
    interrupted: Vec<PartitionName>,
    logs: RwLock<BTreeMap<PartitionName, Open>>,
    /// Held while recovery points are gathered and written down, or lowered: what is gathered must
    /// not be written over what was lowered since. Taken before all other locks.
    noting: Mutex<()>,
    /// Held while directories come and go.
    changing: Mutex<()>,
    /// What the checkpoint files say.
    noted: Mutex<Noted>,
    /// The same of where compaction has come to.
    compacted: Mutex<Compacted>,
    /// `None` once closed: another may take the directory then.
    lock: Mutex<Option<Box<dyn Lock>>>,
}

/// Who opens a directory.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Required of the directory, where it is known.
    pub cluster_id: Option<String>,
    pub node_id: i32,
    /// For a directory that is new.
    pub new_cluster_id: String,
    pub new_directory_id: Uuid,
}

/// What becomes of a partition's directory that was found.
#[derive(Clone, Debug)]
pub enum Choice {
    Open(Arc<LogConfig>),
    /// Not this broker's business now; it stays as it is.
    Leave,
    /// The topic is gone.
    Delete,
}

/// A partition that was to be opened.
#[derive(Debug)]
pub struct Loaded {
    pub name: PartitionName,
    pub topic_id: Option<Uuid>,
    pub outcome: Result<(Arc<Log>, Recovered), OpenError>,
}

#[derive(Debug)]
struct Open {
    log: Arc<Log>,
    topic_id: Option<Uuid>,
}

impl Manager {
    /// Takes the directory, made if need be. No log is open yet.
    ///
    /// # Errors
    /// It is in use, belongs to somebody else, or cannot be read.
    pub fn open(
        disk: Arc<dyn Disk>,
        root: &Path,
        identity: Identity,
    ) -> Result<Self, ManagerError> {
        make_root(&*disk, root)?;
        let lock = disk.lock(&root.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => ManagerError::Locked { root: root.to_owned() },
            _ => error.into(),
        })?;
        let meta = own(&*disk, root, identity)?;
        let noted = Noted::load(&*disk, root)?;
        let compacted = Compacted::load(&*disk, root)?;
        let marker = root.join(CLEAN_STOP_MARKER);
        let clean_stop = disk.exists(&marker);
        if clean_stop && !is_planted(Bug::CleanStopMarkKept) {
            // Before anything is written: from here on a stop is a crash.
            disk.remove_file(&marker)?;
            disk.sync_dir(root)?;
        }
        let mut interrupted = Vec::new();
        for entry in disk.read_dir(root)?.into_iter().filter(|entry| entry.is_dir) {
            let copy = PartitionName::of_future(&entry.name);
            if PartitionName::is_no_partitions(&entry.name) {
                disk.remove_dir_all(&root.join(entry.name))?;
            }
            interrupted.extend(copy);
        }
        Ok(Self {
            disk,
            root: root.to_owned(),
            meta,
            clean_stop,
            interrupted,
            logs: RwLock::default(),
            noting: Mutex::new(()),
            changing: Mutex::new(()),
            noted: Mutex::new(noted),
            compacted: Mutex::new(compacted),
            lock: Mutex::new(Some(lock)),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    pub fn clean_stop(&self) -> bool {
        self.clean_stop
    }

    /// Partitions that were on their way here when the last run ended. What was copied is gone.
    pub fn interrupted_moves(&self) -> &[PartitionName] {
        &self.interrupted
    }

    /// # Errors
    /// What the disk reports.
    pub fn space(&self) -> io::Result<Space> {
        self.disk.space(&self.root)
    }

    pub fn get(&self, name: &PartitionName) -> Option<Arc<Log>> {
        self.open_logs().get(name).map(|open| Arc::clone(&open.log))
    }

    pub fn names(&self) -> Vec<PartitionName> {
        self.open_logs().keys().cloned().collect()
    }

    /// How many logs are open.
    pub fn count(&self) -> usize {
        self.open_logs().len()
    }

    /// Opens the logs that are not open yet, on as many threads as told, each as `choose` says of
    /// its name and the topic id in it. One that cannot be opened does not keep the others.
    ///
    /// # Errors
    /// The directory itself cannot be read, or what a crash may have left in memory alone cannot be
    /// synced.
    pub fn load(
        &self,
        threads: usize,
        now: Timestamp,
        choose: &(dyn Fn(&PartitionName, Option<Uuid>) -> Choice + Sync),
    ) -> Result<Vec<Loaded>, ManagerError> {
        let _turn = self.turn();
        let (mut wanted, mut gone) = (Vec::new(), Vec::new());
        for name in self.directories()? {
            if self.get(&name).is_some() {
                continue;
            }
            let topic_id = meta::load_topic_id(&*self.disk, &self.dir(&name))?.whole();
            match choose(&name, topic_id) {
                Choice::Open(config) => wanted.push((name, topic_id, config)),
                Choice::Leave => info!(%name, "left alone"),
                Choice::Delete => {
                    info!(%name, "deleting what its topic left");
                    gone.push(self.rename_away(&name, topic_id)?);
                }
            }
        }
        if !gone.is_empty() {
            // What loses its id first must not have a partition's name.
            self.disk.sync_dir(&self.root)?;
        }
        for deleted in gone {
            deleted.remove(&*self.disk)?;
        }
        let settled = wanted.iter().any(|(name, ..)| !self.known_of(name, now).clean_stop);
        if settled {
            recovery::make_durable(&*self.disk, &self.root)?;
        }
        let next = AtomicUsize::new(0);
        let loaded = Mutex::new(Vec::with_capacity(wanted.len()));
        let open_some = || {
            while let Some((name, topic_id, config)) =
                wanted.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let open = OpenLog { settled, ..self.known_of(name, now) };
                let outcome = self.open_log(name, config, open);
                let found = Loaded { name: name.clone(), topic_id: *topic_id, outcome };
                loaded.lock().unwrap_or_else(PoisonError::into_inner).push(found);
            }
        };
        thread::scope(|scope| {
            // This thread is one of them.
            for _ in 1..threads.min(wanted.len()) {
                scope.spawn(open_some);
            }
            open_some();
        });
        let mut loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        loaded.sort_by(|a, b| a.name.cmp(&b.name));
        if settled {
            recovery::make_durable(&*self.disk, &self.root)?;
        }
        for Loaded { name, topic_id, outcome } in &loaded {
            if let Ok((log, _)) = outcome {
                self.insert(name.clone(), Open { log: Arc::clone(log), topic_id: *topic_id });
            }
        }
        Ok(loaded)
    }

    /// Syncs and closes every log, and marks the directory as closed in order if that holds for
    /// all that is in it. Either way the directory is free for another to take: nothing may be
    /// done with this any more.
    ///
    /// # Errors
    /// The first failure, after all logs were tried; the next start then checks what it must.
    pub fn close(&self) -> Result<(), ManagerError> {
        let _noting = self.noting();
        let _turn = self.turn();
        let closed = self.close_in_order();
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        closed
    }

    fn close_in_order(&self) -> Result<(), ManagerError> {
        let mut first_error = None;
        for name in self.names() {
            let Some(log) = self.get(&name) else { continue };
            if let Err(error) = log.close() {
                warn!(%name, %error, "log not closed in order");
                first_error.get_or_insert(ManagerError::Flush { name, error });
            }
        }
        self.note(&self.gather(|| ()))?;
        if let Some(error) = first_error {
            return Err(error);
        }
        if self.directories()?.iter().all(|name| self.open_logs().contains_key(name)) {
            checkpoint::replace(&*self.disk, &self.root.join(CLEAN_STOP_MARKER), MARKER_TEXT)?;
        }
        Ok(())
    }

    fn open_log(
        &self,
        name: &PartitionName,
        config: &Arc<LogConfig>,
        open: OpenLog,
    ) -> Result<(Arc<Log>, Recovered), OpenError> {
        let (log, report) =
            Log::open(Arc::clone(&self.disk), &self.dir(name), Arc::clone(config), open)?;
        Ok((Arc::new(log), report))
    }

    fn insert(&self, name: PartitionName, open: Open) {
        self.logs.write().unwrap_or_else(PoisonError::into_inner).insert(name, open);
    }

    fn directories(&self) -> io::Result<Vec<PartitionName>> {
        let entries = self.disk.read_dir(&self.root)?;
        let directories = entries.iter().filter(|entry| entry.is_dir);
        Ok(directories.filter_map(|entry| PartitionName::of_directory(&entry.name)).collect())
    }

    fn dir(&self, name: &PartitionName) -> PathBuf {
        self.root.join(name.to_string())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_logs(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<PartitionName, Open>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory that is made now, with those above it that were missing, is one whose name no crash
/// takes before anything in it is promised.
fn make_root(disk: &dyn Disk, root: &Path) -> io::Result<()> {
    let missing = root.ancestors().take_while(|dir| !disk.exists(dir)).count();
    disk.create_dir_all(root)?;
    for parent in root.ancestors().skip(1).take(missing) {
        let relative = parent.as_os_str().is_empty();
        disk.sync_dir(if relative { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Reads whose the directory is, or makes it ours.
fn own(disk: &dyn Disk, root: &Path, identity: Identity) -> Result<MetaProperties, ManagerError> {
    let mut meta = match MetaProperties::load(disk, root)? {
        Found::Whole(meta) => meta,
        Found::Absent => {
            let cluster_id = identity.cluster_id.unwrap_or(identity.new_cluster_id);
            let directory_id = Some(identity.new_directory_id);
            let meta = MetaProperties { cluster_id, node_id: identity.node_id, directory_id };
            meta.save(disk, root)?;
            return Ok(meta);
        }
        Found::Damaged { reason } => {
            return Err(ManagerError::DamagedMeta { root: root.to_owned(), reason });
        }
    };
    meta.check_owner(identity.cluster_id.as_deref(), identity.node_id)
        .map_err(ManagerError::WrongOwner)?;
    if meta.directory_id.is_none() {
        meta.directory_id = Some(identity.new_directory_id);
        meta.save(disk, root)?;
    }
    Ok(meta)
}

pub(crate) const LOCK_FILE: &str = ".lock";
const CLEAN_STOP_MARKER: &str = ".kafka_cleanshutdown";
/// As Kafka writes it; the epoch is one that nobody has.
const MARKER_TEXT: &[u8] = br#"{"version":0,"brokerEpoch":-1}"#;
#[cfg(test)]
mod tests;
