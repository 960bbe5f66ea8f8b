//! The ends of transactions, as they are written into the partitions that took part.

use std::{fmt, pin::Pin};

use milena_protocol::wire::Str;

use super::{Level, Producer, TopicPartition};

/// A transaction that is decided, and what is still to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub id: Str,
    pub(super) serial: u64,
    /// Whose records end, with the epoch that fences those who wrote them where there is a new one.
    pub producer: Producer,
    pub commit: bool,
    pub level: Level,
    /// In order.
    pub partitions: Vec<TopicPartition>,
}

/// One end, in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub producer: Producer,
    pub commit: bool,
    /// Fences the markers of coordinators that were before.
    pub coordinator_epoch: i32,
    pub level: Level,
}

/// Writes markers. To be implemented by whoever holds the partitions.
pub trait Markers: Send + Sync + fmt::Debug {
    /// Appends the marker before this returns; what it returns resolves once that is committed.
    fn write(&self, topic: &str, partition: i32, marker: Marker) -> Writing;
}

pub type Writing = Pin<Box<dyn Future<Output = Result<(), NotWritten>> + Send>>;

/// Why a marker is not known to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// There is no such partition, at least no more.
    Gone,
    /// A newer incarnation of the producer has written there.
    FencedProducer,
    /// A newer coordinator has ended a transaction of the producer there.
    FencedCoordinator,
    /// Another attempt may fare better.
    NotNow,
}
