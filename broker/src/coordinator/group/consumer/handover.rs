//! From the classic protocol and back, while members change over one by one.

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::{ErrorCode, wire::Str};
use tracing::info;

use super::{
    Group, Refused, embedded,
    member::{About, Classic, Member, held_since, without_epochs},
};
use crate::coordinator::group::{
    Limits,
    classic::{self, Handed},
    machine::Step,
};

impl Group {
    /// The group that takes the place of a classic one, whose members go on with what they have.
    ///
    /// # Errors
    /// The settings do not allow it, or the members divide their work in a way that the broker
    /// cannot go on with.
    pub(in crate::coordinator::group) fn from_classic(
        old: &classic::Group,
        id: &Str,
        step: &mut Step<'_>,
    ) -> Result<Self, Refused> {
        let refused = |why| {
            let message =
                format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            Refused::new(ErrorCode::GroupIdNotFound, message)
        };
        let (generation, handed) = old.hand_over();
        let limits = &step.limits.consumer;
        if !limits.migration.upgrade {
            return Err(refused("online upgrade is disabled"));
        }
        if !old.uses_consumer_protocol() {
            return Err(refused("the group does not use the consumer embedded protocol"));
        }
        if handed.len() > limits.members_max {
            return Err(refused("the group size exceeds the consumer group maximum size"));
        }
        let members: Result<Vec<(Str, Member)>, &str> =
            handed.into_iter().map(|one| member_of(one, generation, step)).collect();
        let members = members.map_err(refused)?;
        info!(group = %id, members = members.len(), "a classic group speaks the consumer protocol now");
        old.send_away(step);
        step.turn.write(old.tombstone());
        let mut group = Self::new(id.clone());
        for (member, joined) in &members {
            group.write_about(member, joined.clone(), step);
        }
        group.epoch = generation;
        group.write_epoch(step);
        for (member, joined) in &members {
            group.write_target(member, Arc::new(without_epochs(&joined.assigned)), step);
        }
        group.write_target_epoch(step);
        for (member, joined) in members {
            group.write_current(&member, joined, step);
            group.rearm(&member, step);
        }
        Ok(group)
    }

    /// Whether all that are left speak the classic protocol, and may have a group of it.
    pub(in crate::coordinator::group) fn should_be_classic(&self, limits: &Limits) -> bool {
        limits.consumer.migration.downgrade
            && !self.members.is_empty()
            && self.members.len() <= limits.members_max
            && self.members.values().all(|member| member.about.classic.is_some())
    }

    /// The classic group that takes the place of this one.
    pub(in crate::coordinator::group) fn to_classic(&self, step: &mut Step<'_>) -> classic::Group {
        info!(group = %self.id, "a consumer group speaks the classic protocol now");
        for record in self.tombstones() {
            step.turn.write(record);
        }
        let nothing = Arc::default();
        let members = self.members.iter().map(|(id, member)| {
            let about = &member.about;
            let classic = about.classic.as_deref();
            let protocols = classic.map(|classic| classic.protocols.clone()).unwrap_or_default();
            let metadata = protocols.first().map(|(_, metadata)| metadata);
            let target = self.targets.get(id).unwrap_or(&nothing);
            Handed {
                id: id.clone(),
                instance: about.instance.clone(),
                client_id: about.client_id.clone(),
                client_host: about.client_host.clone(),
                rebalance_timeout_ms: about.rebalance_timeout_ms,
                session_timeout_ms: classic.map_or(0, |classic| classic.session_timeout_ms),
                assignment: embedded::encode_assignment(target, metadata, step.catalog),
                protocols,
            }
        });
        let members = members.collect();
        classic::Group::take_over(self.id.clone(), self.epoch, members, step)
    }
}

/// A member with what the classic group's leader gave it.
///
/// # Errors
/// That makes no sense, or says more than the broker could go on with.
fn member_of(
    handed: Handed,
    generation: i32,
    step: &Step<'_>,
) -> Result<(Str, Member), &'static str> {
    let (_, metadata) = handed.protocols.first().ok_or(MALFORMED)?;
    let subscription = embedded::subscription(metadata, step.catalog).ok_or(MALFORMED)?;
    let assignment = embedded::assignment(&handed.assignment, step.catalog);
    let (assigned, says_more) = assignment.ok_or(MALFORMED)?;
    if says_more {
        return Err(
            "an unsupported custom assignor is in use. Please refer to the documentation or \
             switch to a default assignor before re-attempting the upgrade",
        );
    }
    let about = About {
        instance: handed.instance,
        rack: subscription.rack,
        client_id: handed.client_id,
        client_host: handed.client_host,
        topics: Arc::new(subscription.topics.into_iter().collect::<BTreeSet<_>>()),
        pattern: Str::default(),
        assignor: None,
        rebalance_timeout_ms: handed.rebalance_timeout_ms,
        classic: Some(Arc::new(Classic {
            session_timeout_ms: handed.session_timeout_ms,
            protocols: handed.protocols,
        })),
    };
    let member = Member {
        about: Arc::new(about),
        epoch: generation,
        previous_epoch: generation,
        assigned: Arc::new(held_since(generation, &assigned)),
        ..Member::default()
    };
    Ok((handed.id, member))
}

const MALFORMED: &str = "the embedded consumer protocol is malformed";
