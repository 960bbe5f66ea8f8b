//! The data directories: made, locked, and known to be of this cluster and this node.

use std::{io, path::Path};

use milena_storage::{
    checkpoint::Found,
    fs::{Disk, Lock},
    meta::MetaProperties,
};

use super::StartError;
use crate::{clock::Rng, config::BrokerConfig};

/// What is open while the broker runs.
pub(super) struct Opened {
    pub(super) cluster_id: String,
    pub(super) locks: Vec<Box<dyn Lock>>,
}

/// Opens all of `log.dirs`. The first start of all names the cluster.
pub(super) fn open(
    disk: &dyn Disk,
    config: &BrokerConfig,
    rng: &dyn Rng,
) -> Result<Opened, StartError> {
    let mut cluster_id: Option<String> = None;
    let mut locks = Vec::new();
    let mut unnamed = Vec::new();
    for dir in &config.log_dirs {
        let failed = |error| StartError::Directory { directory: dir.clone(), error };
        disk.create_dir_all(dir).map_err(failed)?;
        locks.push(lock(disk, dir).map_err(failed)?);
        match MetaProperties::load(disk, dir).map_err(failed)? {
            Found::Whole(meta) => {
                meta.check_owner(cluster_id.as_deref(), config.node_id)
                    .map_err(|owner| StartError::WrongOwner { directory: dir.clone(), owner })?;
                cluster_id = Some(meta.cluster_id);
            }
            Found::Absent => unnamed.push(dir),
            Found::Damaged { reason } => return Err(failed(io::Error::other(reason))),
        }
    }
    let cluster_id = cluster_id.unwrap_or_else(|| rng.uuid().to_string());
    for dir in unnamed {
        let meta = MetaProperties {
            cluster_id: cluster_id.clone(),
            node_id: config.node_id,
            directory_id: Some(rng.uuid()),
        };
        meta.save(disk, dir)
            .map_err(|error| StartError::Directory { directory: dir.clone(), error })?;
    }
    Ok(Opened { cluster_id, locks })
}

fn lock(disk: &dyn Disk, dir: &Path) -> io::Result<Box<dyn Lock>> {
    disk.lock(&dir.join(LOCK_FILE)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("another broker uses it"),
        _ => error,
    })
}

/// Kafka's own name for it.
const LOCK_FILE: &str = ".lock";
