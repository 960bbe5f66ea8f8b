//! The data directories: made, locked, and known to be of this cluster and this node.

use std::sync::Arc;

use milena_storage::{
    checkpoint::Found,
    fs::Disk,
    manager::{Identity, Manager},
    meta::MetaProperties,
};

use super::StartError;
use crate::{clock::Rng, config::BrokerConfig};

/// Takes all of `log.dirs`, in their order. The first start of all names the cluster.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    config: &BrokerConfig,
    rng: &dyn Rng,
) -> Result<Vec<Arc<Manager>>, StartError> {
    // A directory that was added to others must get their cluster's id, in whatever order.
    let mut cluster_id = None;
    for dir in &config.log_dirs {
        // What is wrong with a file is told when its directory is taken, below.
        if let Ok(Found::Whole(meta)) = MetaProperties::load(&**disk, dir) {
            cluster_id = cluster_id.or(Some(meta.cluster_id));
        }
    }
    let new_cluster_id = cluster_id.clone().unwrap_or_else(|| rng.uuid().to_string());
    let mut taken = Vec::with_capacity(config.log_dirs.len());
    for dir in &config.log_dirs {
        let identity = Identity {
            cluster_id: cluster_id.clone(),
            node_id: config.node_id,
            new_cluster_id: new_cluster_id.clone(),
            new_directory_id: rng.uuid(),
        };
        let manager = Manager::open(Arc::clone(disk), dir, identity)
            .map_err(|error| StartError::Directory { directory: dir.clone(), error })?;
        taken.push(Arc::new(manager));
    }
    Ok(taken)
}
