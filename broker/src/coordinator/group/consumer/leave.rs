//! Members that go: of their own accord, for a while, or because nothing is heard of them.

use std::sync::Arc;

use milena_protocol::{
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::Str,
};
use tracing::info;

use super::{
    Group, Refused,
    member::{AWAY, Member, Progress, held_since, without_epochs},
};
use crate::coordinator::group::{Subject, machine::Step};

impl Group {
    /// A heartbeat of a member that leaves, or of a static one that will be back.
    pub(in crate::coordinator::group) fn leave(
        &mut self,
        r: &ConsumerGroupHeartbeatRequest,
        step: &mut Step<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = &r.member_id.detached();
        let member = match &r.instance_id {
            Some(instance) => self.static_member(instance, id)?,
            None => self.members.get(id).ok_or_else(|| self.unknown_member(id))?,
        };
        if r.member_epoch == AWAY {
            // It comes back in an epoch that nobody knows yet, and may commit from its first on.
            let assigned = Arc::new(held_since(0, &without_epochs(&member.assigned)));
            let revoking = Arc::default();
            let away = Member { epoch: AWAY, assigned, revoking, ..member.clone() };
            self.write_current(id, away, step);
            self.deadlines.remove(id);
        } else {
            info!(group = %self.id, member = %id, "a member has left");
            self.dismiss([id.clone()], step);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id.clone()),
            member_epoch: r.member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        })
    }

    /// A member's alarm went off: nothing was heard of it, or it did not give up in time what it
    /// had to.
    pub(in crate::coordinator::group) fn expire(&mut self, subject: &Subject, step: &mut Step<'_>) {
        let (Subject::Session { member, .. } | Subject::Deadline { member, .. }) = subject else {
            return;
        };
        if self.members.contains_key(member) {
            info!(group = %self.id, %member, ?subject, "dropped a member whose time was over");
            self.dismiss([member.clone()], step);
        }
    }

    /// Alarms begin anew after a restart; whoever is gone will be missed.
    pub(in crate::coordinator::group) fn resume(&mut self, step: &mut Step<'_>) {
        let members: Vec<(Str, Member)> =
            self.members.iter().map(|(id, member)| (id.clone(), member.clone())).collect();
        for (id, member) in members {
            self.rearm(&id, step);
            if member.progress == Progress::Unrevoked {
                self.set_deadline(&id, member.about.rebalance_timeout_ms, step);
            }
        }
    }

    /// Takes members out and begins a new epoch without them, unless those who are left are about
    /// to have a classic group, whose generation is to be the epoch that they know.
    pub(super) fn dismiss(&mut self, ids: impl IntoIterator<Item = Str>, step: &mut Step<'_>) {
        for id in ids {
            let pattern = self.members.get(&id).map(|member| member.about.pattern.clone());
            self.write_removal(&id, step);
            self.forget_unused(&pattern.unwrap_or_default(), step);
        }
        if !self.should_be_classic(step.limits) {
            self.follow_topics(true, step);
        }
        if self.members.is_empty() {
            // Nothing is left to be divided.
            self.write_target_epoch(step);
        }
    }
}
