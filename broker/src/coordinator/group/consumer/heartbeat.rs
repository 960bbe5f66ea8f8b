//! ConsumerGroupHeartbeat: a member joins, tells what has changed, and hears what is its.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        groups::consumer_group_heartbeat::{Assignment, TopicPartitions, TopicPartitionsResult},
    },
    wire::Str,
};
use tracing::debug;

use super::{
    Group, Refused,
    member::{AWAY, About, Held, Member, without_epochs},
    reconcile::Told,
};
use crate::coordinator::group::{Client, Subject, machine::Step, regex};

impl Group {
    /// A heartbeat of somebody who does not want to leave. One that brings nothing new writes
    /// nothing. What was done before it was refused is to be undone.
    pub(in crate::coordinator::group) fn heartbeat(
        &mut self,
        r: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        step: &mut Step<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = r.member_id.detached();
        if !self.has_room_for(&id, r.instance_id.as_ref(), step) {
            return Err(no_room(step.limits.consumer.members_max));
        }
        let before = self.member_for(&id, r, step)?;
        check_pattern(r, &before)?;
        let preferred = self.assignor(step.limits);
        let subscribes_anew = self.take_in(&id, &before, before.about.updated(r, client), step);
        let changed = subscribes_anew || self.assignor(step.limits) != preferred;
        self.follow_topics(changed, step);
        self.assign_if_due(step);
        let owned = r.topic_partitions.as_deref();
        let after = self.reconcile(&id, Told { owned, subscribes_anew }, step);
        self.rearm(&id, step);
        let settings = step.catalog.settings(&self.id, &step.limits.consumer.defaults);
        let is_full = r.member_epoch == 0
            || (r.rebalance_timeout_ms != -1
                && (r.subscribed_topic_names.is_some() || r.subscribed_topic_regex.is_some())
                && r.topic_partitions.is_some());
        let is_other = without_epochs(&after.assigned) != without_epochs(&before.assigned);
        let assignment =
            (is_full || is_other).then(|| Assignment { topic_partitions: shown(&after.assigned) });
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id),
            member_epoch: after.epoch,
            heartbeat_interval_ms: settings.heartbeat_interval_ms,
            assignment,
            ..ConsumerGroupHeartbeatResponse::default()
        })
    }

    pub(super) fn rearm(&mut self, id: &Str, step: &mut Step<'_>) {
        let classic = self.members.get(id).and_then(|member| member.about.classic.as_deref());
        let timeout_ms = match classic {
            Some(classic) => classic.session_timeout_ms,
            None => {
                let defaults = &step.limits.consumer.defaults;
                step.catalog.settings(&self.id, defaults).session_timeout_ms
            }
        };
        let session = self.sessions.entry(id.clone()).or_default();
        let subject = || Subject::Session { group: self.id.clone(), member: id.clone() };
        step.set(session, timeout_ms, subject);
    }

    pub(super) fn unknown_member(&self, id: &str) -> Refused {
        let message = format!("Member {id} is not a member of group {}.", self.id);
        Refused::new(ErrorCode::UnknownMemberId, message)
    }

    /// The member that an instance is now, if it is the one with this id.
    pub(super) fn static_member(&self, instance: &Str, id: &Str) -> Result<&Member, Refused> {
        let unknown = || {
            let message = format!("Instance id {instance} is unknown.");
            Refused::new(ErrorCode::UnknownMemberId, message)
        };
        let current = self.instances.get(instance).ok_or_else(unknown)?;
        if current != id {
            let message = format!(
                "Static member {id} with instance id {instance} was fenced by member {current}."
            );
            return Err(Refused::new(ErrorCode::FencedInstanceId, message));
        }
        self.members.get(current).ok_or_else(unknown)
    }

    /// Whether there is room for one more, if this is one more.
    pub(super) fn has_room_for(&self, id: &Str, instance: Option<&Str>, step: &Step<'_>) -> bool {
        self.members.len() < step.limits.consumer.members_max
            || self.members.contains_key(id)
            || instance.is_some_and(|instance| self.instances.contains_key(instance))
    }

    /// The member that asks, as it was before; a blank one if it is new.
    fn member_for(
        &mut self,
        id: &Str,
        r: &ConsumerGroupHeartbeatRequest,
        step: &mut Step<'_>,
    ) -> Result<Member, Refused> {
        let joins = r.member_epoch == 0;
        let Some(instance) = &r.instance_id else {
            let member = match self.members.get(id) {
                Some(member) => member.clone(),
                None if joins => Member::default(),
                None => return Err(self.unknown_member(id)),
            };
            check_epoch(&member, r)?;
            return Ok(member);
        };
        if !joins {
            let member = self.static_member(instance, id)?.clone();
            check_epoch(&member, r)?;
            return Ok(member);
        }
        let Some(current) = self.instances.get(instance).cloned() else {
            return Ok(self.members.get(id).cloned().unwrap_or_default());
        };
        let member = self.members.get(&current).cloned().unwrap_or_default();
        if member.epoch != AWAY && member.about.classic.is_none() {
            let message = format!(
                "Static member {id} with instance id {instance} cannot join the group because the \
                 instance id is owned by {current} member."
            );
            return Err(Refused::new(ErrorCode::UnreleasedInstanceId, message));
        }
        Ok(self.succeed(&current, id, member, step))
    }

    /// A static member is back: what was its is its again, and nobody else notices.
    pub(super) fn succeed(
        &mut self,
        old: &Str,
        id: &Str,
        member: Member,
        step: &mut Step<'_>,
    ) -> Member {
        debug!(group = %self.id, member = %id, was = %old, "a static member is back");
        let target = self.targets.get(old).cloned().unwrap_or_default();
        self.write_removal(old, step);
        let member = Member { epoch: 0, previous_epoch: 0, ..member };
        self.write_about(id, member.clone(), step);
        self.write_target(id, target, step);
        self.write_current(id, member.clone(), step);
        member
    }

    /// Takes over what a member says of itself. True if it subscribes to other topics than before.
    pub(super) fn take_in(
        &mut self,
        id: &Str,
        before: &Member,
        about: About,
        step: &mut Step<'_>,
    ) -> bool {
        if self.members.contains_key(id) && *before.about == about {
            return false;
        }
        let same_topics = before.about.subscribes_like(&about);
        let (old_pattern, new_pattern) = (before.about.pattern.clone(), about.pattern.clone());
        self.write_about(id, Member { about: Arc::new(about), ..before.clone() }, step);
        if old_pattern != new_pattern {
            self.resolve(&new_pattern, step);
            self.forget_unused(&old_pattern, step);
        }
        !same_topics
    }
}

fn no_room(max: usize) -> Refused {
    let message = format!("The consumer group has reached its maximum capacity of {max} members.");
    Refused::new(ErrorCode::GroupMaxSizeReached, message)
}

fn check_pattern(r: &ConsumerGroupHeartbeatRequest, before: &Member) -> Result<(), Refused> {
    let Some(pattern) = &r.subscribed_topic_regex else { return Ok(()) };
    if *pattern == before.about.pattern {
        return Ok(());
    }
    regex::Pattern::compile(pattern).map(drop).map_err(|error| {
        let message =
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {error}.");
        Refused::new(ErrorCode::InvalidRegularExpression, message)
    })
}

/// Whether the member is where the broker believes it to be.
fn check_epoch(member: &Member, r: &ConsumerGroupHeartbeatRequest) -> Result<(), Refused> {
    let (told, known) = (r.member_epoch, member.epoch);
    // Whoever joins again has forgotten its epoch, and is told it.
    if told == 0 || told == known {
        return Ok(());
    }
    let missed_the_answer = told == member.previous_epoch
        && r.topic_partitions.as_ref().is_some_and(|owned| is_within(owned, &member.assigned));
    if told < known && missed_the_answer {
        return Ok(());
    }
    let compared = if told > known { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {compared} member epoch ({told}) than the one known by \
         the group coordinator ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(Refused::new(ErrorCode::FencedMemberEpoch, message))
}

fn is_within(owned: &[TopicPartitions], assigned: &Held) -> bool {
    owned.iter().all(|topic| {
        let ours = assigned.get(&topic.topic_id);
        topic.partitions.iter().all(|one| ours.is_some_and(|ours| ours.contains_key(one)))
    })
}

fn shown(assigned: &Held) -> Vec<TopicPartitionsResult> {
    assigned
        .iter()
        .map(|(&topic_id, indexes)| TopicPartitionsResult {
            topic_id,
            partitions: indexes.keys().copied().collect(),
        })
        .collect()
}
