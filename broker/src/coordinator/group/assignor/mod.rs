//! Who reads which partitions, where the broker decides it (KIP-848).
//!
//! [`assign`] is a function of what it is told and of nothing else: the same members, topics and
//! assignments give the same answer on every broker. A partition goes to exactly one of those that
//! subscribe to its topic; one that nobody subscribes to goes to nobody.

#[cfg(test)]
mod proof;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use milena_protocol::Uuid;

/// Partitions by their topics.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// The ways to assign that a group can choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As many partitions for each member as its subscription allows, and as few moves as that
    /// takes.
    Uniform,
    /// Of each topic a range: the same range of topics with the same subscribers and as many
    /// partitions, so that what belongs together is read together.
    Range,
}

/// The members of a group, and the topics that they want.
#[derive(Clone, Debug, Default)]
pub struct Spec<'a> {
    pub members: BTreeMap<&'a str, Member<'a>>,
    pub topics: BTreeMap<Uuid, Topic<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub instance_id: Option<&'a str>,
    pub rack: Option<&'a str>,
    /// Topics that the [`Spec`] does not know are ignored. Members that want the same are
    /// cheapest if they share one set.
    pub subscribed: &'a BTreeSet<Uuid>,
    /// What it was to read until now.
    pub assigned: &'a Partitions,
}

#[derive(Clone, Debug, Default)]
pub struct Topic<'a> {
    pub partitions: i32,
    /// Where the replicas of each partition are; empty where that is not known.
    pub racks: Vec<Vec<&'a str>>,
}

impl Assignor {
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// By the name that members and settings use.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }
}

/// What each member is to read, with an entry for every one.
#[must_use]
pub fn assign<'a>(assignor: Assignor, spec: &Spec<'a>) -> BTreeMap<&'a str, Partitions> {
    match assignor {
        Assignor::Uniform => uniform::assign(spec),
        Assignor::Range => range::assign(spec),
    }
}
