//! One member of a consumer group.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use milena_protocol::{Uuid, messages::ConsumerGroupHeartbeatRequest, wire::Str};

use crate::coordinator::group::{Client, assignor::Partitions};

/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Member {
    pub(super) about: Arc<About>,
    /// The epoch that it has reached; [`AWAY`] for a static member that will be back.
    pub(super) epoch: i32,
    /// The one before: the answer that told the next may have been lost.
    pub(super) previous_epoch: i32,
    pub(super) progress: Progress,
    /// What it may read.
    pub(super) assigned: Arc<Held>,
    /// What it has to give up and may still be reading.
    pub(super) revoking: Arc<Held>,
}

/// Partitions, each with the epoch in which it was given (KIP-1251): who has kept it since may
/// commit what it read in an older epoch than the one that it has reached.
pub(super) type Held = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct About {
    pub(super) instance: Option<Str>,
    pub(super) rack: Option<Str>,
    pub(super) client_id: Str,
    pub(super) client_host: Str,
    pub(super) topics: Arc<BTreeSet<Str>>,
    /// Topics that it subscribes to by a regular expression; empty if by none.
    pub(super) pattern: Str,
    pub(super) assignor: Option<Str>,
    pub(super) rebalance_timeout_ms: i32,
    /// Only for a member that speaks the classic protocol.
    pub(super) classic: Option<Arc<Classic>>,
}

/// What the classic protocol knows of a member besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Classic {
    pub(super) session_timeout_ms: i32,
    /// How it could divide the work, best first, and what it has to say about each way.
    pub(super) protocols: Vec<(Str, Bytes)>,
}

/// How far a member has come towards the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::coordinator::group) enum Progress {
    /// It has what it is to have.
    #[default]
    Stable,
    /// It has to give something up first.
    Unrevoked,
    /// What it is to have is not all free yet.
    Unreleased,
}

impl Default for About {
    fn default() -> Self {
        Self {
            instance: None,
            rack: None,
            client_id: Str::default(),
            client_host: Str::default(),
            topics: Arc::default(),
            pattern: Str::default(),
            assignor: None,
            rebalance_timeout_ms: -1,
            classic: None,
        }
    }
}

impl About {
    /// This, with what a heartbeat tells anew. Fields that it leaves out stay as they were.
    pub(super) fn updated(&self, r: &ConsumerGroupHeartbeatRequest, client: &Client) -> Self {
        let detached = |new: &Option<Str>, old: &Option<Str>| {
            new.as_ref().map(Str::detached).or_else(|| old.clone())
        };
        let topics = match &r.subscribed_topic_names {
            Some(names) if !self.has_topics(names) => {
                Arc::new(names.iter().map(Str::detached).collect())
            }
            _ => Arc::clone(&self.topics),
        };
        Self {
            instance: detached(&r.instance_id, &self.instance),
            rack: detached(&r.rack_id, &self.rack),
            client_id: client.id.detached(),
            client_host: client.host.clone(),
            topics,
            pattern: match &r.subscribed_topic_regex {
                Some(pattern) => pattern.detached(),
                None => self.pattern.clone(),
            },
            assignor: detached(&r.server_assignor, &self.assignor),
            rebalance_timeout_ms: match r.rebalance_timeout_ms {
                -1 => self.rebalance_timeout_ms,
                given => given,
            },
            classic: None,
        }
    }

    pub(super) fn subscribes_like(&self, other: &Self) -> bool {
        self.topics == other.topics && self.pattern == other.pattern
    }

    fn has_topics(&self, names: &[Str]) -> bool {
        names.len() == self.topics.len() && names.iter().all(|name| self.topics.contains(name))
    }
}

impl Member {
    /// All that nobody else may be given.
    pub(super) fn holds(&self) -> impl Iterator<Item = (Uuid, i32)> {
        let held = flat(&self.assigned).chain(flat(&self.revoking));
        held.map(|(topic, index, _)| (topic, index))
    }

    /// The epoch in which it was given a partition that it still has.
    pub(super) fn given_in(&self, topic: Uuid, index: i32) -> Option<i32> {
        let given_in = |held: &Held| held.get(&topic)?.get(&index).copied();
        given_in(&self.assigned).or_else(|| given_in(&self.revoking))
    }
}

/// The partitions one by one, with the epoch in which each was given.
pub(super) fn flat(held: &Held) -> impl Iterator<Item = (Uuid, i32, i32)> {
    held.iter().flat_map(|(&topic, indexes)| {
        indexes.iter().map(move |(&index, &epoch)| (topic, index, epoch))
    })
}

/// All of these, given in `epoch`.
pub(super) fn held_since(epoch: i32, partitions: &Partitions) -> Held {
    let given = |indexes: &BTreeSet<i32>| indexes.iter().map(|&index| (index, epoch)).collect();
    partitions.iter().map(|(&topic, indexes)| (topic, given(indexes))).collect()
}

pub(super) fn without_epochs(held: &Held) -> Partitions {
    held.iter().map(|(&topic, indexes)| (topic, indexes.keys().copied().collect())).collect()
}

/// The epoch of a static member that has left for a while.
pub(super) const AWAY: i32 = -2;
