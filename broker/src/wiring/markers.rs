//! The ends of transactions on replicas, and producer ids from the controller: what the
//! coordinator of transactions asks of others.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use milena_protocol::ProducerId;
use milena_storage::{log::AppendError, producers::EndMarker};

use crate::{
    clock::Clock,
    controller::Controller,
    coordinator::{
        group::{self, GroupCoordinator},
        runtime::Unavailable,
        txn::{Level, Marker, Markers, NotWritten, ProducerIds, Writing},
    },
    replica::{Missing, Replicas, Uncommitted},
};

/// The offsets of groups are ended by the coordinator of groups, all else in the log itself.
#[derive(Debug)]
pub(super) struct OnReplicas {
    pub(super) replicas: Arc<Replicas>,
    pub(super) groups: Arc<GroupCoordinator>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Markers for OnReplicas {
    fn write(&self, topic: &str, index: i32, marker: Marker) -> Writing {
        let found = self.replicas.topic_named(topic).ok_or(Missing::Topic);
        let partition = match found.and_then(|topic| topic.partition(index)) {
            Ok(partition) => partition,
            Err(Missing::Offline) => return now(Err(NotWritten::NotNow)),
            Err(Missing::Topic | Missing::TopicId | Missing::Partition) => {
                return now(Err(NotWritten::Gone));
            }
        };
        let wall = self.clock.now();
        let level = marker.level;
        let marker = EndMarker {
            producer: marker.producer.id,
            epoch: marker.producer.epoch,
            coordinator_epoch: marker.coordinator_epoch,
            timestamp: wall,
            commit: marker.commit,
        };
        if topic == group::TOPIC {
            let ended = self.groups.end_transaction(index, marker, level >= Level::Bumping);
            return Box::pin(async move { ended.await.map_err(refused_by_group) });
        }
        let end = match partition.append_marker(&marker, level.number(), wall) {
            Ok(end) => end,
            Err(error) => return now(Err(refused(&error))),
        };
        let deadline = self.clock.monotonic() + COMMIT_TIMEOUT;
        // Once all markers are written nobody writes them again: none may be lost after that.
        Box::pin(async move {
            partition.synced(end, deadline).await.map_err(|error| match error {
                Uncommitted::Gone => NotWritten::Gone,
                Uncommitted::TimedOut | Uncommitted::Offline => NotWritten::NotNow,
            })
        })
    }
}

/// A controller, once there is one.
#[derive(Debug, Default)]
pub(super) struct FromController(OnceLock<Controller>);

impl FromController {
    pub(super) fn set(&self, controller: Controller) {
        // It is set once, by the start.
        let _ = self.0.set(controller);
    }
}

impl ProducerIds for FromController {
    fn next(&self) -> Pin<Box<dyn Future<Output = Option<ProducerId>> + Send + '_>> {
        Box::pin(async move { self.0.get()?.next_producer_id().await.ok() })
    }
}

fn refused(error: &AppendError) -> NotWritten {
    match error {
        AppendError::FencedProducer { .. } => NotWritten::FencedProducer,
        AppendError::FencedCoordinator { .. } => NotWritten::FencedCoordinator,
        _ => NotWritten::NotNow,
    }
}

fn refused_by_group(unavailable: Unavailable) -> NotWritten {
    match unavailable {
        Unavailable::FencedProducer => NotWritten::FencedProducer,
        Unavailable::FencedCoordinator => NotWritten::FencedCoordinator,
        Unavailable::Loading
        | Unavailable::NotHere
        | Unavailable::Overloaded
        | Unavailable::NotAppended
        | Unavailable::TooLarge
        | Unavailable::TimedOut => NotWritten::NotNow,
    }
}

fn now(outcome: Result<(), NotWritten>) -> Writing {
    Box::pin(std::future::ready(outcome))
}

/// After this a marker is written again.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
