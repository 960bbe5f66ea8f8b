//! ConsumerGroupHeartbeat: the group that it is for, which it may make.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::Str,
};

use super::{
    Client, Groups, classic,
    consumer::{self, Refused},
    kind::Kind,
    machine::Step,
};
use crate::coordinator::runtime::Turn;

impl Groups {
    pub(super) fn consumer_heartbeat(
        &mut self,
        r: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        turn: &mut Turn<Self>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
        consumer::check(r, &limits)?;
        let (before, mark) = (self.groups.get(&r.group_id).cloned(), turn.mark());
        let step = &mut Step { limits: &limits, catalog: &catalog, turn };
        let told = self.take_heartbeat(r, client, step);
        if told.is_err() {
            // Whoever is refused changes nothing: not even which protocol the group speaks.
            step.turn.undo_to(mark);
            match before {
                Some(group) => _ = self.groups.insert(group.id.clone(), group),
                None => _ = self.groups.remove(&r.group_id),
            }
        }
        told
    }

    fn take_heartbeat(
        &mut self,
        r: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        step: &mut Step<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        if r.member_epoch == 0 {
            self.make_consumer_group(&r.group_id, step)?;
        }
        let group = self.find_consumer_mut(&r.group_id).ok_or_else(|| not_found(r))?;
        let told = match r.member_epoch {
            ..0 => group.leave(r, step),
            _ => group.heartbeat(r, client, step),
        }?;
        if let Some(group) = self.find_mut(&r.group_id) {
            group.follow_members(step);
        }
        Ok(told)
    }

    /// A classic group becomes one of the consumer protocol with the first member that speaks it;
    /// its offsets stay.
    fn make_consumer_group(&mut self, id: &Str, step: &mut Step<'_>) -> Result<(), Refused> {
        match self.groups.get(id) {
            Some(group) if group.consumer().is_some() => return Ok(()),
            Some(group) if group.is_empty() => {
                group.tombstones().into_iter().for_each(|record| step.turn.write(record));
            }
            Some(_) | None => {}
        }
        let group = self.group_mut(id, step.turn.now.wall);
        let consumer = match &group.kind {
            Kind::Classic(old) if old.state != classic::State::Empty => {
                consumer::Group::from_classic(old, &group.id, step)?
            }
            _ => consumer::Group::new(group.id.clone()),
        };
        group.kind = Kind::Consumer(Box::new(consumer));
        Ok(())
    }
}

fn not_found(r: &ConsumerGroupHeartbeatRequest) -> Refused {
    let kind = if r.member_epoch < 0 { "Group" } else { "Consumer group" };
    let message = format!("{kind} {} not found.", r.group_id);
    Refused { code: ErrorCode::GroupIdNotFound, message }
}
