//! Coordinators on replicas: what the coordinator's runtime asks of a log, said in terms of a
//! partition.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use milena_protocol::{Offset, Timestamp};
use milena_storage::log::{AppendError, Origin, ReadLimits};

use super::{
    Seams,
    markers::{self, FromController},
};
use crate::{
    config::BrokerConfig,
    coordinator::{
        group::{self, GroupCoordinator},
        runtime::{AppendFailed, Committed, Logs, Lost, PartitionLog, ReadFailed, Surroundings},
        txn::{self, TransactionCoordinator},
    },
    metrics::Registry,
    purgatory::Timers,
    replica::{Partition, Replicas, Uncommitted},
};

/// The coordinator of groups. It is to follow the metadata after `replicas` does.
pub(super) fn groups<N>(
    config: &BrokerConfig,
    seams: &Seams<N>,
    timers: &Arc<Timers>,
    replicas: &Arc<Replicas>,
) -> Arc<GroupCoordinator> {
    let commit_timeout = u64::try_from(config.groups.offsets_commit_timeout_ms).unwrap_or_default();
    Arc::new(GroupCoordinator::new(
        group::Limits::from_config(config),
        Duration::from_millis(commit_timeout),
        Arc::new(OnReplicas(Arc::clone(replicas))),
        surroundings(seams, timers),
    ))
}

/// The coordinator of transactions. It is to follow the metadata after `replicas` does.
pub(super) fn transactions<N>(
    config: &BrokerConfig,
    seams: &Seams<N>,
    timers: &Arc<Timers>,
    (replicas, groups): (&Arc<Replicas>, &Arc<GroupCoordinator>),
    producer_ids: Arc<FromController>,
    metrics: Arc<Registry>,
) -> Arc<TransactionCoordinator> {
    let markers = markers::OnReplicas {
        replicas: Arc::clone(replicas),
        groups: Arc::clone(groups),
        clock: Arc::clone(&seams.clock),
    };
    Arc::new(TransactionCoordinator::new(txn::Parts {
        limits: txn::Limits::from_config(config),
        logs: Arc::new(OnReplicas(Arc::clone(replicas))),
        markers: Arc::new(markers),
        producer_ids,
        around: surroundings(seams, timers),
        metrics,
    }))
}

fn surroundings<N>(seams: &Seams<N>, timers: &Arc<Timers>) -> Surroundings {
    Surroundings {
        clock: Arc::clone(&seams.clock),
        timers: Arc::clone(timers),
        spawn: Arc::clone(&seams.spawn),
    }
}

#[derive(Debug)]
struct OnReplicas(Arc<Replicas>);

impl Logs for OnReplicas {
    fn open(&self, topic: &str, partition: i32) -> Option<Arc<dyn PartitionLog>> {
        let partition = self.0.topic_named(topic)?.partition(partition).ok()?;
        Some(Arc::new(OnPartition(partition)))
    }
}

#[derive(Debug)]
struct OnPartition(Arc<Partition>);

impl PartitionLog for OnPartition {
    fn append(&self, batches: Bytes, bumps: bool, now: Timestamp) -> Result<Offset, AppendFailed> {
        if self.0.is_gone() {
            return Err(AppendFailed::Offline);
        }
        let origin = if bumps { Origin::BumpingCoordinator } else { Origin::Coordinator };
        match self.0.append_as(origin, batches, now) {
            Ok(appended) => Ok(appended.last_offset.next()),
            Err(AppendError::TooLarge { .. }) => Err(AppendFailed::TooLarge),
            Err(AppendError::FencedProducer { .. }) => Err(AppendFailed::FencedProducer),
            Err(AppendError::FencedCoordinator { .. }) => Err(AppendFailed::FencedCoordinator),
            Err(AppendError::Offline(_)) => Err(AppendFailed::Offline),
            Err(_) => Err(AppendFailed::Refused),
        }
    }

    fn committed(&self, end: Offset, deadline: Duration) -> Committed<'_> {
        Box::pin(async move { self.0.committed(end, deadline).await.map_err(lost) })
    }

    fn synced(&self, end: Offset, deadline: Duration) -> Committed<'_> {
        Box::pin(async move { self.0.synced(end, deadline).await.map_err(lost) })
    }

    fn bounds(&self) -> (Offset, Offset) {
        (self.0.log().start_offset(), self.0.high_watermark())
    }

    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ReadFailed> {
        let upper = self.0.high_watermark();
        let limits = ReadLimits { max_bytes, upper, at_least_one: true };
        let found = self.0.read(from.0, limits).map_err(|error| ReadFailed(error.to_string()))?;
        let records = found.map(|found| found.records.to_bytes()).transpose();
        Ok(records.map_err(|error| ReadFailed(error.to_string()))?.unwrap_or_default())
    }
}

fn lost(error: Uncommitted) -> Lost {
    match error {
        Uncommitted::TimedOut => Lost::TimedOut,
        Uncommitted::Offline | Uncommitted::Gone => Lost::Offline,
    }
}
