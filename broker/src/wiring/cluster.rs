//! The cluster's state: replayed, followed, and changed by a controller on its own thread.

use std::sync::Arc;

use arc_swap::ArcSwap;
use milena_protocol::Uuid;
use milena_storage::manager::Manager;

use super::{Seams, StartError};
use crate::{
    config::BrokerConfig,
    controller::{Controller, Node, Parts},
    metadata::{DynamicConfig, Image, LocalLog, Metadata, Policy, Snapshots},
};

pub(super) struct Cluster {
    pub(super) metadata: Arc<Metadata>,
    pub(super) controller: Controller,
    /// To be kept up by whoever has a thread for it.
    pub(super) snapshots: Snapshots,
}

/// Replays the metadata in `first` and registers this broker. What follows the metadata subscribes
/// in `follow`, which is given what was replayed, and has followed all of it when this returns. It
/// tells which log directories this broker has.
pub(super) fn start<N>(
    seams: &Seams<N>,
    first: &Manager,
    config: &Arc<ArcSwap<BrokerConfig>>,
    follow: impl FnOnce(&Metadata, &Image) -> Result<Vec<Uuid>, StartError>,
) -> Result<Cluster, StartError> {
    let (log, replayed) = LocalLog::open(first, seams.clock.now()).map_err(StartError::Metadata)?;
    let metadata = Arc::new(Metadata::default());
    let id = config.load().node_id;
    let snapshots = Snapshots::new(
        Arc::clone(&seams.disk),
        &log,
        Arc::clone(&metadata),
        Policy::from_config(&config.load()),
        Arc::clone(&seams.clock),
    );
    // First of all, so that whoever comes after finds the settings that are in force.
    metadata.subscribe(Arc::new(DynamicConfig::new(id, Arc::clone(config))));
    let directories = follow(&metadata, &replayed)?;
    let (controller, mut driver) = Controller::new(Parts {
        quorum: Box::new(log),
        metadata: Arc::clone(&metadata),
        config: Arc::clone(config),
        node: Node { id, directories },
        clock: Arc::clone(&seams.clock),
        rng: Arc::clone(&seams.rng),
    });
    driver.start(replayed).map_err(StartError::Register)?;
    let run = Box::new(move || driver.run());
    // It ends with `Controller::stop`.
    seams.spawn.thread("controller", run).map_err(StartError::Thread)?;
    Ok(Cluster { metadata, controller, snapshots })
}
