//! The classic protocol, in which a leader among the members divides the work.
//!
//! ```text
//!            join                       all joined            leader's sync
//!   Empty ----------> PreparingRebalance --------> CompletingRebalance --------> Stable
//!     ^                  |        ^  ^                   | join, leave, expiry     |
//!     |   nobody left    |        |  +-------------------+                         |
//!     +------------------+        +------------------------------------------------+
//! ```
//!
//! Only a group that is about to become Stable or Empty, or whose static member changed its id,
//! writes a record. All else is forgotten in a crash, and members find their way back by their
//! next heartbeat or join.

mod describe;
mod handover;
mod join;
mod member;
mod rebalance;
mod record;
mod session;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};
use milena_protocol::{ErrorCode, Timestamp, wire::Str};

pub(super) use handover::Handed;
pub(super) use join::join_refused;
pub(super) use member::Member;

use super::Subject;
use crate::coordinator::runtime::Alarm;

/// A group with what it has in memory only. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) id: Str,
    pub(super) state: State,
    /// When it came into its state; unknown if the record that it was read from is very old.
    pub(super) since: Option<Timestamp>,
    /// `None`: nobody ever joined, offsets are all there is.
    pub(super) protocol_type: Option<Str>,
    protocol: Option<Str>,
    generation: i32,
    leader: Option<Str>,
    members: OrdMap<Str, Member>,
    /// The member of each static instance (KIP-345).
    instances: OrdMap<Str, Str>,
    /// Ids that were given out and have not come back to join (KIP-394).
    promised: OrdMap<Str, Alarm>,
    /// Members that have not asked for their assignment in this generation.
    unsynced: OrdSet<Str>,
    /// How many members offer each protocol.
    offered: OrdMap<Str, usize>,
    /// How many members wait for a join to be answered.
    joining: usize,
    first_rebalance: Option<FirstRebalance>,
    join_alarm: Alarm,
    sync_alarm: Alarm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

/// A group that was empty waits a while for more members than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FirstRebalance {
    delay_ms: i32,
    /// What is left of the rebalance time-out for waiting longer.
    remaining_ms: i32,
    someone_came: bool,
}

impl Group {
    pub(super) fn new(id: Str, now: Timestamp) -> Self {
        Self {
            id,
            state: State::Empty,
            since: Some(now),
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: OrdMap::new(),
            instances: OrdMap::new(),
            promised: OrdMap::new(),
            unsynced: OrdSet::new(),
            offered: OrdMap::new(),
            joining: 0,
            first_rebalance: None,
            join_alarm: Alarm::default(),
            sync_alarm: Alarm::default(),
        }
    }

    /// Whether this is a member, and not one whose place another has taken.
    pub(super) fn check_member(&self, id: &str, instance: Option<&Str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether offsets may be committed by this member in this generation.
    pub(super) fn check_commit(
        &self,
        member: &str,
        instance: Option<&Str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        // A tool, or a consumer that needs no group, may commit while there are no members.
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation < 0 && member.is_empty() && instance.is_none() {
            // Clients before Kafka 2.5 do not say in a transaction who they are.
            return if transactional { Ok(()) } else { Err(ErrorCode::UnknownMemberId) };
        }
        self.check_generation(member, instance, generation)?;
        if self.state == State::CompletingRebalance && !transactional {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    pub(super) fn check_generation(
        &self,
        member: &str,
        instance: Option<&Str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        self.check_member(member, instance)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    pub(super) fn alarm(&mut self, subject: &Subject) -> Option<&mut Alarm> {
        match subject {
            Subject::Session { member, .. } => match self.members.get_mut(member) {
                Some(member) => Some(&mut member.session),
                None => self.promised.get_mut(member),
            },
            Subject::Join(_) => Some(&mut self.join_alarm),
            Subject::Sync(_) => Some(&mut self.sync_alarm),
            Subject::Deadline { .. } | Subject::Sweep | Subject::Forget(_) => None,
        }
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    fn all_joined(&self) -> bool {
        self.joining == self.members.len() && self.promised.is_empty()
    }

    /// The longest that any member wants to be waited for.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = Some(now);
    }

    fn insert(&mut self, id: Str, member: Member, protocol_type: &Str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.detached());
        }
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.count(&member, 1);
        self.promised.remove(&id);
        self.members.insert(id, member);
    }

    /// Takes out a member, or an id that was promised. A join that waits is not answered here.
    fn remove(&mut self, id: &str) -> Option<Member> {
        self.promised.remove(id);
        self.unsynced.remove(id);
        let member = self.members.remove(id)?;
        self.count(&member, -1);
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Adds a member to the sums, or takes it out of them.
    fn count(&mut self, member: &Member, by: isize) {
        if member.joining.is_some() {
            self.joining = self.joining.saturating_add_signed(by);
        }
        // Whoever names a protocol twice is still but one who offers it.
        let names: BTreeSet<&Str> = member.protocols.iter().map(|offered| &offered.name).collect();
        for name in names {
            let count = self.offered.get(name).copied().unwrap_or_default();
            match count.saturating_add_signed(by) {
                0 => _ = self.offered.remove(name),
                count => _ = self.offered.insert(name.clone(), count),
            }
        }
    }

    /// Changes a member and keeps the sums right.
    fn update(&mut self, id: &str, change: impl FnOnce(&mut Member)) {
        let Some(old) = self.members.get(id).cloned() else { return };
        self.count(&old, -1);
        let mut member = old;
        change(&mut member);
        self.count(&member, 1);
        self.members.insert(Str::from(id), member);
    }

    /// Whether a member with these protocols can work with those who are here.
    fn is_compatible(&self, protocol_type: &Str, names: impl IntoIterator<Item = Str>) -> bool {
        let mut names = names.into_iter().peekable();
        if self.state == State::Empty {
            return !protocol_type.is_empty() && names.peek().is_some();
        }
        let shared =
            |name: Str| self.offered.get(&name).copied().unwrap_or_default() == self.members.len();
        self.protocol_type.as_ref() == Some(protocol_type) && names.any(shared)
    }

    /// The protocol that most members like best, of those that all know.
    fn elect_protocol(&self) -> Option<Str> {
        let everyone = self.members.len();
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let known = |name: &Str| self.offered.get(name) == Some(&everyone);
            if let Some(best) = member.protocols.iter().find(|offered| known(&offered.name)) {
                *votes.entry(&best.name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|&(_, count)| count).map(|(name, _)| name.clone())
    }
}

impl State {
    /// As DescribeGroups and ListGroups spell it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";
/// How long a new member's join may wait: the client would ask again before that.
const NEW_MEMBER_TIMEOUT_MS: i32 = 5 * 60 * 1000;
