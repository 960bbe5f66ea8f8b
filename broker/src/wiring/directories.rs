//! The data directories: made, locked, and known to be of this cluster and this node.

use std::{path::PathBuf, sync::Arc};

use milena_storage::{
    checkpoint::Found,
    fs::Disk,
    manager::{Identity, Manager},
    meta::MetaProperties,
};
use tracing::error;

use super::StartError;
use crate::{clock::Rng, config::BrokerConfig};

/// `log.dirs`, in their order.
pub(super) struct Directories {
    /// Taken. The first of all of them is, as the metadata are there.
    pub(super) usable: Vec<Arc<Manager>>,
    /// Those that cannot be read or written now; what is in them is offline until the next start.
    pub(super) failed: Vec<PathBuf>,
}

/// Takes all of `log.dirs`. The first start of all names the cluster.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    config: &BrokerConfig,
    rng: &dyn Rng,
) -> Result<Directories, StartError> {
    // A directory that was added to others must get their cluster's id, in whatever order.
    let mut cluster_id = None;
    for dir in &config.log_dirs {
        // What is wrong with a file is told when its directory is taken, below.
        if let Ok(Found::Whole(meta)) = MetaProperties::load(&**disk, dir) {
            cluster_id = cluster_id.or(Some(meta.cluster_id));
        }
    }
    let new_cluster_id = cluster_id.clone().unwrap_or_else(|| rng.uuid().to_string());
    let (mut usable, mut failed) = (Vec::with_capacity(config.log_dirs.len()), Vec::new());
    for dir in &config.log_dirs {
        let identity = Identity {
            cluster_id: cluster_id.clone(),
            node_id: config.node_id,
            new_cluster_id: new_cluster_id.clone(),
            new_directory_id: rng.uuid(),
        };
        match Manager::open(Arc::clone(disk), dir, identity) {
            Ok(manager) => usable.push(Arc::new(manager)),
            Err(error) if error.is_failure_of_the_disk() && !usable.is_empty() => {
                error!(dir = %dir.display(), %error, "log directory is offline");
                failed.push(dir.clone());
            }
            Err(error) => {
                return Err(StartError::Directory { directory: dir.clone(), error });
            }
        }
    }
    Ok(Directories { usable, failed })
}
