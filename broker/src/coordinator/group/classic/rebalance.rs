//! How a group gets from one generation to the next.

use milena_protocol::{ErrorCode, wire::Str};
use tracing::debug;

use super::{FirstRebalance, Group, State};
use crate::coordinator::group::{Reply, Subject, machine::Step};

impl Group {
    pub(super) fn rebalance_or_complete(&mut self, step: &mut Step<'_>) {
        if self.state == State::PreparingRebalance {
            self.complete_if_all_joined(step);
        } else {
            self.prepare_rebalance(step);
        }
    }

    /// Has all members join again.
    pub(super) fn prepare_rebalance(&mut self, step: &mut Step<'_>) {
        let came_from = self.state;
        if came_from == State::CompletingRebalance {
            self.forget_assignments(step);
        }
        self.unsynced.clear();
        self.sync_alarm.switch_off();
        self.enter(State::PreparingRebalance, step.turn.now.wall);
        debug!(group = %self.id, generation = self.generation, "rebalancing");
        if came_from == State::Empty {
            let delay_ms = step.limits.initial_rebalance_delay_ms;
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.first_rebalance =
                Some(FirstRebalance { delay_ms, remaining_ms, someone_came: false });
            self.arm_join(delay_ms, step);
        } else if self.all_joined() {
            self.complete_join(step);
        } else {
            self.arm_join(self.rebalance_timeout_ms(), step);
        }
    }

    /// The first rebalance of all runs its full delay, however many have joined.
    pub(super) fn complete_if_all_joined(&mut self, step: &mut Step<'_>) {
        let preparing = self.state == State::PreparingRebalance;
        if preparing && self.first_rebalance.is_none() && self.all_joined() {
            self.complete_join(step);
        }
    }

    /// The time for joining is over.
    pub(super) fn join_expired(&mut self, step: &mut Step<'_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        match self.first_rebalance {
            Some(first) if first.someone_came && first.remaining_ms > 0 => {
                let delay_ms = step.limits.initial_rebalance_delay_ms.min(first.remaining_ms);
                let remaining_ms = (first.remaining_ms - first.delay_ms).max(0);
                self.first_rebalance =
                    Some(FirstRebalance { delay_ms, remaining_ms, someone_came: false });
                self.arm_join(delay_ms, step);
            }
            _ => self.complete_join(step),
        }
    }

    /// Begins the next generation with those who have joined.
    pub(super) fn complete_join(&mut self, step: &mut Step<'_>) {
        self.join_alarm.switch_off();
        self.first_rebalance = None;
        let absent: Vec<Str> = self
            .members
            .iter()
            .filter(|(_, member)| member.joining.is_none() && member.instance.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in absent {
            debug!(group = %self.id, member = %id, "dropped a member that did not join again");
            self.remove(&id);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members, and none of them has joined: their sessions decide.
            return self.arm_join(self.rebalance_timeout_ms(), step);
        }
        self.generation = self.generation.wrapping_add(1);
        self.unsynced.clear();
        self.protocol = self.elect_protocol();
        if self.members.is_empty() {
            self.enter(State::Empty, step.turn.now.wall);
            return step.turn.write(self.record());
        }
        self.enter(State::CompletingRebalance, step.turn.now.wall);
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            self.answer_join(&id, step);
            self.rearm(&id, step);
            self.unsynced.insert(id);
        }
        let timeout_ms = self.rebalance_timeout_ms();
        let subject = || Subject::Sync(self.id.clone());
        step.set(&mut self.sync_alarm, timeout_ms, subject);
    }

    /// Puts the end of a member's session off by its whole length.
    pub(super) fn rearm(&mut self, id: &Str, step: &mut Step<'_>) {
        if let Some(member) = self.members.get_mut(id) {
            let subject = || Subject::Session { group: self.id.clone(), member: id.clone() };
            step.set(&mut member.session, member.session_timeout_ms, subject);
        }
    }

    fn answer_join(&mut self, id: &Str, step: &mut Step<'_>) {
        let answer = self.joined(id);
        let mut waiting = None;
        if let Some(member) = self.members.get_mut(id) {
            waiting = member.joining.take();
            member.is_new = false;
        }
        if let Some(ticket) = waiting {
            self.joining = self.joining.saturating_sub(1);
            step.turn.reply(ticket, Reply::Join(answer));
        }
    }

    /// Keeps the leader if it has joined, or else makes one of those who have.
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &Str| self.members.get(id).is_some_and(|it| it.joining.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        match self.members.iter().find(|(_, member)| member.joining.is_some()) {
            Some((id, _)) => {
                self.leader = Some(id.clone());
                true
            }
            None => false,
        }
    }

    /// Nothing was agreed on: whoever waits for an assignment has to join again.
    fn forget_assignments(&mut self, step: &mut Step<'_>) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.assignment.clear();
            if let Some(ticket) = member.syncing.take() {
                let refused = super::sync::refused(ErrorCode::RebalanceInProgress);
                step.turn.reply(ticket, Reply::Sync(refused));
                self.rearm(&id, step);
            }
        }
    }

    fn arm_join(&mut self, after_ms: i32, step: &mut Step<'_>) {
        let subject = || Subject::Join(self.id.clone());
        step.set(&mut self.join_alarm, after_ms, subject);
    }
}
