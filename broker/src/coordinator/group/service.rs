//! The groups of this broker: one shard for each partition of `__consumer_offsets`.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use milena_protocol::{ProducerId, Uuid, wire::Str};
use milena_storage::producers::EndMarker;

use super::{
    Catalog, Groups, InTransaction, Limits, Reply, Request,
    ends::{Ends, Seen},
};
use crate::{
    coordinator::runtime::{Logs, Shards, Surroundings, Unavailable},
    metadata::{Follow, Image, TopicChange},
};

/// Where groups keep their state.
pub const TOPIC: &str = "__consumer_offsets";

/// Thread-safe. It follows the metadata, after whatever makes the logs.
#[derive(Debug)]
pub struct GroupCoordinator {
    limits: Arc<Limits>,
    catalog: Arc<ArcSwap<Catalog>>,
    shards: Shards<Groups>,
    ends: Ends,
}

impl GroupCoordinator {
    #[must_use]
    pub fn new(
        limits: Limits,
        commit_timeout: Duration,
        logs: Arc<dyn Logs>,
        around: Surroundings,
    ) -> Self {
        let shards = Shards::new(TOPIC, commit_timeout, logs, around);
        Self { limits: Arc::new(limits), catalog: Arc::default(), shards, ends: Ends::new() }
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks the shard of `group`. The request is in the shard's queue before this returns.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask(
        &self,
        group: &str,
        request: Request,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + use<> {
        self.shards.ask(group, request)
    }

    /// The partition of `__consumer_offsets` that holds a group's offsets, if this broker has any.
    #[must_use]
    pub fn partition_of(&self, group: &str) -> Option<i32> {
        self.shards.partition_of(group)
    }

    /// To be taken before it is made sure that a transaction of `producer` is open.
    #[must_use]
    pub fn ends(&self, producer: ProducerId) -> Seen {
        self.ends.seen(producer)
    }

    /// Commits offsets in a transaction that was open after `seen`; `None` if it may have ended
    /// meanwhile, and is to be looked at again: what came after its marker would never end.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn commit_in_transaction(
        &self,
        r: &InTransaction,
        seen: Seen,
    ) -> Option<impl Future<Output = Result<Reply, Unavailable>> + use<>> {
        let ask = || self.ask(&r.request.group_id, Request::CommitInTransaction(r.clone()));
        self.ends.unless_ended(ProducerId(r.request.producer_id), seen, ask)
    }

    /// Ends a producer's transaction in a partition of `__consumer_offsets`: what it committed there
    /// takes effect or is forgotten. Resolves once the marker is committed. It may be asked again.
    /// `bumps` says that the marker's epoch is the one after the transaction's.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn end_transaction(
        &self,
        partition: i32,
        marker: EndMarker,
        bumps: bool,
    ) -> impl Future<Output = Result<(), Unavailable>> + use<> {
        let end = || self.shards.ask_at(partition, Request::EndTransaction(marker, bumps));
        let asked = self.ends.end(marker.producer, end);
        async move { asked.await.map(|_| ()) }
    }

    /// Asks every shard that this broker has. One whose log has failed has nothing to say.
    ///
    /// # Errors
    /// The first of another kind.
    pub async fn ask_all(&self, request: &Request) -> Result<Vec<Reply>, Unavailable> {
        self.shards.ask_all(request).await
    }

    /// Ends all shards. Members that wait for others are told to look for a coordinator again.
    pub fn stop(&self) {
        self.shards.stop();
    }
}

impl Follow for GroupCoordinator {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        let catalog = self.catalog.load().followed_by(before, after);
        self.catalog.store(Arc::new(catalog));
        let make = |_| Groups::new(Arc::clone(&self.limits), Arc::clone(&self.catalog));
        self.shards.follow(before, after, make, |_, _| {});
        let gone: Vec<(Str, Uuid)> = after
            .topic_changes(before)
            .filter_map(|change| match change {
                TopicChange::Deleted(topic) => Some((topic.name.clone(), topic.id)),
                _ => None,
            })
            .collect();
        if !gone.is_empty() {
            // Whoever reads an offset of a topic that is made anew meanwhile has to wait for its
            // turn behind this.
            self.shards.tell_all(&Request::Forget(gone));
        }
    }
}
