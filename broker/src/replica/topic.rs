//! One topic's partitions on this broker.

use std::sync::Arc;

use arc_swap::ArcSwap;
use milena_protocol::{Uuid, wire::Str};

use super::Partition;

/// Partitions come one by one and go together with their topic. Thread-safe; reading takes no lock.
#[derive(Debug)]
pub struct Topic {
    pub id: Uuid,
    pub name: Str,
    slots: ArcSwap<Vec<Slot>>,
}

/// What this broker has of a partition.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Nothing: another broker leads it, or nobody does.
    Absent,
    /// It should have it, but the log could not be opened.
    Offline,
    Online(Arc<Partition>),
}

/// Why a partition cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No topic has this name.
    Topic,
    /// No topic has this id.
    TopicId,
    /// The topic has no partition of this number here.
    Partition,
    /// The partition's log could not be opened.
    Offline,
}

impl Topic {
    pub(super) fn new(id: Uuid, name: Str) -> Self {
        Self { id, name, slots: ArcSwap::default() }
    }

    /// # Errors
    /// [`Missing::Partition`] or [`Missing::Offline`].
    pub fn partition(&self, index: i32) -> Result<Arc<Partition>, Missing> {
        let at = usize::try_from(index).map_err(|_| Missing::Partition)?;
        match self.slots.load().get(at) {
            Some(Slot::Online(partition)) => Ok(Arc::clone(partition)),
            Some(Slot::Offline) => Err(Missing::Offline),
            Some(Slot::Absent) | None => Err(Missing::Partition),
        }
    }

    /// All partitions that can be served.
    #[must_use]
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        let online = |slot: &Slot| match slot {
            Slot::Online(partition) => Some(Arc::clone(partition)),
            Slot::Absent | Slot::Offline => None,
        };
        self.slots.load().iter().filter_map(online).collect()
    }

    /// Partitions that should be here, but whose logs could not be opened.
    pub(super) fn offline(&self) -> Vec<i32> {
        let slots = self.slots.load();
        let offline = (0..).zip(slots.iter()).filter(|(_, slot)| matches!(slot, Slot::Offline));
        offline.map(|(index, _)| index).collect()
    }

    pub(super) fn slot(&self, at: usize) -> Slot {
        self.slots.load().get(at).cloned().unwrap_or(Slot::Absent)
    }

    /// Replaces all partitions at once. Only whoever follows the metadata calls it.
    pub(super) fn set_slots(&self, slots: Vec<Slot>) {
        self.slots.store(Arc::new(slots));
    }
}
