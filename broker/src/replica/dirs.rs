//! The log directories: what is found in them at the start, and what is in them now.

use std::{io, path::PathBuf, sync::Arc};

use milena_protocol::{Uuid, wire::Str};
use milena_storage::{
    fs::Space,
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
    /// were deleted. Blocks while logs are recovered.
    ///
    /// # Errors
    /// A directory cannot be read at all.
    pub fn load(&self, image: &Image) -> Result<(), ManagerError> {
        let config = self.config.load();
        let threads = usize::try_from(config.recovery_threads_per_dir).unwrap_or(1);
        let choose = |name: &PartitionName, id: Option<Uuid>| self.choose(image, name, id);
        for dir in self.volumes.iter().map(|volume| &volume.dir) {
            let mut recovered = 0_usize;
            for Loaded { name, outcome, .. } in dir.load(threads, self.clock.now(), &choose)? {
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
        Ok(())
    }

    /// All log directories as they are now.
    #[must_use]
    pub fn log_dirs(&self) -> Vec<LogDir> {
        let mut dirs: Vec<LogDir> = self
            .volumes
            .iter()
            .map(|volume| &volume.dir)
            .map(|dir| LogDir {
                path: dir.root().to_owned(),
                id: dir.meta().directory_id,
                space: dir.space(),
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
        dirs
    }

    fn choose(&self, image: &Image, name: &PartitionName, id: Option<Uuid>) -> Choice {
        let Some(id) = id else { return Choice::Leave };
        match image.topic_by_id(id) {
            Some(topic) if is_partition_of(name, topic) => {
                let config = self.topic_config(name.topic(), image);
                Choice::Open(Arc::new(log_config(&self.config.load(), &config)))
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
