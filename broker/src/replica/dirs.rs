//! The log directories: what is found in them at the start, and what is in them now.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use milena_protocol::{Uuid, wire::Str};
use milena_storage::{
    fs::Space,
    log::LogConfig,
    manager::{Choice, Loaded, ManagerError, PartitionName},
};
use tracing::{error, info, warn};

use super::{Replicas, settings::log_config};
use crate::metadata::{Image, Topic};

/// A directory and what it holds.
#[derive(Debug)]
pub struct LogDir {
    pub path: PathBuf,
    pub id: Option<Uuid>,
    pub space: io::Result<Space>,
    pub logs: Vec<LogSize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSize {
    pub topic: Str,
    pub partition: i32,
    pub bytes: u64,
    /// How many offsets a copy that is made here lacks; `None` for the log itself.
    pub copy_lag: Option<i64>,
}

impl Replicas {
    /// Opens what earlier runs left, as far as `image` knows it, and removes what topics left that
    /// were deleted. Blocks while logs are recovered. Returns the directories of this broker: those
    /// that are here, and then those that are not, as long as partitions may be in them.
    ///
    /// # Errors
    /// No directory can be read.
    pub fn load(&self, image: &Image) -> Result<Vec<Uuid>, ManagerError> {
        let config = self.config.load();
        let threads = usize::try_from(config.recovery_threads_per_dir).unwrap_or(1);
        // One for all partitions of a topic, which come one after the other.
        let last = Mutex::default();
        let choose = |name: &PartitionName, id: Option<Uuid>| self.choose(image, name, id, &last);
        for volume in &self.volumes {
            let dir = &volume.dir;
            let loaded = match dir.load(threads, self.clock.now(), &choose) {
                Ok(loaded) => loaded,
                Err(error) => {
                    error!(dir = %dir.root().display(), %error, "log directory is offline");
                    volume.fail();
                    if self.volumes.iter().all(|volume| volume.has_failed()) {
                        return Err(error);
                    }
                    continue;
                }
            };
            let mut recovered = 0_usize;
            for Loaded { name, outcome, .. } in loaded {
                match outcome {
                    Ok(_) => recovered += 1,
                    Err(error) => {
                        error!(%name, %error, "log is offline");
                        self.damaged.insert(name);
                    }
                }
            }
            let clean = dir.clean_stop();
            info!(dir = %dir.root().display(), logs = recovered, clean, "opened logs");
        }
        self.settle_moves();
        Ok(self.directories(image))
    }

    /// Which directories this broker has, by what was found. A partition that is in none of those
    /// that are here may be in one that is not: it is offline then. To begin it anew would lose what
    /// was acknowledged.
    fn directories(&self, image: &Image) -> Vec<Uuid> {
        let here = self.volumes.iter().filter_map(|volume| volume.dir.meta().directory_id);
        let mut directories: Vec<Uuid> = here.collect();
        let known = image.broker(self.node_id).map(|broker| broker.directories.as_slice());
        let missing = known.unwrap_or_default().iter().filter(|id| !directories.contains(id));
        let missing: Vec<Uuid> = missing.copied().collect();
        let failed = self.volumes.iter().any(|volume| volume.has_failed());
        if !failed && self.failed_dirs.is_empty() && missing.is_empty() {
            return directories;
        }
        let offline = self.count_not_here(image);
        if offline > 0 {
            error!(partitions = offline, directories = ?missing,
                "partitions are offline, as their log directory is not here");
            directories.extend(missing);
        }
        directories
    }

    /// How many partitions this broker should have and has not. They are not begun anew.
    fn count_not_here(&self, image: &Image) -> usize {
        let mut count = 0;
        for topic in image.topics() {
            for (index, partition) in (0..).zip(&topic.partitions) {
                let Some(name) = PartitionName::new(&topic.name, index) else { continue };
                let is_here = self.volumes.iter().any(|volume| volume.dir.get(&name).is_some());
                if !is_here && partition.replicas.contains(&self.node_id) {
                    self.damaged.insert(name);
                    count += 1;
                }
            }
        }
        count
    }

    /// All log directories as they are now.
    #[must_use]
    pub fn log_dirs(&self) -> Vec<LogDir> {
        let failure = || io::Error::other("it could not be read at the start");
        let mut dirs: Vec<LogDir> = self
            .volumes
            .iter()
            .map(|volume| LogDir {
                path: volume.dir.root().to_owned(),
                id: volume.dir.meta().directory_id,
                space: if volume.has_failed() { Err(failure()) } else { volume.dir.space() },
                logs: Vec::new(),
            })
            .collect();
        for partition in self.partitions() {
            let place = partition.place();
            let home = self.volumes.iter().position(|volume| Arc::ptr_eq(volume, &place.volume));
            if let Some(dir) = home.and_then(|at| dirs.get_mut(at)) {
                dir.logs.push(LogSize {
                    topic: partition.topic.clone(),
                    partition: partition.index,
                    bytes: place.log.size_bytes(),
                    copy_lag: None,
                });
            }
        }
        for one in self.mover.moves() {
            let home = self.volumes.iter().position(|volume| Arc::ptr_eq(volume, &one.target));
            if let (Some(dir), Some(copied)) = (home.and_then(|at| dirs.get_mut(at)), one.copied())
            {
                let lag = one.partition.log().end_offset().0 - copied.end.0;
                dir.logs.push(LogSize {
                    topic: one.partition.topic.clone(),
                    partition: one.partition.index,
                    bytes: copied.bytes,
                    copy_lag: Some(lag.max(0)),
                });
            }
        }
        let failed = self.failed_dirs.iter().map(|path| LogDir {
            path: path.clone(),
            id: None,
            space: Err(failure()),
            logs: Vec::new(),
        });
        dirs.extend(failed);
        dirs
    }

    fn choose(
        &self,
        image: &Image,
        name: &PartitionName,
        id: Option<Uuid>,
        last: &Mutex<Option<(Uuid, Arc<LogConfig>)>>,
    ) -> Choice {
        let Some(id) = id else { return Choice::Leave };
        match image.topic_by_id(id) {
            Some(topic) if is_partition_of(name, topic) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, config)) = last.as_ref().filter(|(topic, _)| *topic == id) {
                    return Choice::Open(Arc::clone(config));
                }
                let config = self.topic_config(name.topic(), image);
                let config = Arc::new(log_config(&self.config.load(), &config));
                *last = Some((id, Arc::clone(&config)));
                Choice::Open(config)
            }
            Some(_) => Choice::Leave,
            // Without any metadata nothing says that the topic was deleted.
            None if image.end() == 0 => {
                warn!(%name, %id, "no metadata know this partition; its directory is left alone");
                Choice::Leave
            }
            None => Choice::Delete,
        }
    }
}

fn is_partition_of(name: &PartitionName, topic: &Topic) -> bool {
    let index = usize::try_from(name.partition());
    topic.name == name.topic() && index.is_ok_and(|index| index < topic.partitions.len())
}
