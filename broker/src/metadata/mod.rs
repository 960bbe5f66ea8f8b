//! The cluster's state as an immutable image, built from a log of versioned records.
//!
//! Handlers read the [`Image`] through [`Metadata`]; changes go through the controller, which
//! proposes records to the [`Quorum`]. That trait is the seam behind which the log is local and
//! committed by fsync, or replicated.

mod batches;
mod dynamic;
mod image;
mod internal;
mod local;
mod reserve;
mod snapshot;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
pub use milena_protocol::state::metadata::MetadataRecord;
use milena_protocol::{LeaderEpoch, Timestamp};

pub use batches::Damage;
pub use dynamic::DynamicConfig;
pub use image::{
    Broker, Endpoint, Image, Inconsistent, Partition, Resource, ResourceKind, Topic, TopicChange,
    unify,
};
pub use internal::{is_internal, settings_in_force};
pub use local::{LocalLog, ReplayError};
pub use snapshot::{LoadError, Policy, SnapshotId, Snapshots};

/// The log that the cluster's state is made from.
pub trait Quorum: Send + fmt::Debug {
    /// Adds `batches` to the log, each whole or not at all, and returns once all of them will
    /// survive a crash: the offset after the last one.
    ///
    /// # Errors
    /// None of them is in the log.
    fn propose(
        &mut self,
        batches: &[Vec<MetadataRecord>],
        now: Timestamp,
    ) -> Result<i64, NotCommitted>;

    fn status(&self) -> Status;
}

/// Why records did not get into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCommitted(pub String);

impl fmt::Display for NotCommitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the metadata log took nothing: {}", self.0)
    }
}

impl std::error::Error for NotCommitted {}

/// Where the quorum stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Grows with each start.
    pub epoch: LeaderEpoch,
    /// The end of what is committed.
    pub committed: i64,
}

/// The current image, for anybody. Thread-safe; reading it takes no lock.
#[derive(Debug, Default)]
pub struct Metadata {
    image: ArcSwap<Image>,
    status: ArcSwap<Status>,
    followers: Mutex<Vec<Arc<dyn Follow>>>,
}

/// Whoever acts on changes of the metadata. [`Follow::changed`] is called in order, for every
/// image, before anybody sees that image and before whoever asked for the change is answered: a
/// topic that was created can be written to at once. It may block.
pub trait Follow: Send + Sync + fmt::Debug {
    fn changed(&self, before: &Image, after: &Arc<Image>);
}

impl Metadata {
    #[must_use]
    pub fn image(&self) -> Arc<Image> {
        self.image.load_full()
    }

    #[must_use]
    pub fn status(&self) -> Status {
        **self.status.load()
    }

    /// From here on `follower` hears of every image, the current one first.
    pub fn subscribe(&self, follower: Arc<dyn Follow>) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        follower.changed(&Image::default(), &self.image());
        followers.push(follower);
    }

    /// Makes `image` the current one. Called by the controller alone, in the order of the log.
    pub fn publish(&self, image: Arc<Image>, status: Status) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.image();
        for follower in followers.iter() {
            follower.changed(&before, &image);
        }
        self.image.store(image);
        self.status.store(Arc::new(status));
    }
}
