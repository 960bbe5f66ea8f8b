//! ConsumerGroupHeartbeat: the group that it is for, which it may make.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::Str,
};

use super::{
    Client, Groups,
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
        if r.member_epoch == 0 {
            self.make_consumer_group(&r.group_id, turn)?;
        }
        let group = self.find_consumer_mut(&r.group_id).ok_or_else(|| not_found(r))?;
        let step = &mut Step { limits: &limits, catalog: &catalog, turn };
        if r.member_epoch < 0 { group.leave(r, step) } else { group.heartbeat(r, client, step) }
    }

    /// A group that has no members may change its protocol; its offsets stay.
    fn make_consumer_group(&mut self, id: &Str, turn: &mut Turn<Self>) -> Result<(), Refused> {
        match self.groups.get(id) {
            Some(group) if group.consumer().is_some() => return Ok(()),
            Some(group) if !group.is_empty() => {
                let message = format!("Group {id} is not a consumer group.");
                return Err(Refused { code: ErrorCode::GroupIdNotFound, message });
            }
            Some(group) => group.tombstones().into_iter().for_each(|record| turn.write(record)),
            None => {}
        }
        let group = self.group_mut(id, turn.now.wall);
        group.kind = Kind::Consumer(Box::new(consumer::Group::new(group.id.clone())));
        Ok(())
    }
}

fn not_found(r: &ConsumerGroupHeartbeatRequest) -> Refused {
    let kind = if r.member_epoch < 0 { "Group" } else { "Consumer group" };
    let message = format!("{kind} {} not found.", r.group_id);
    Refused { code: ErrorCode::GroupIdNotFound, message }
}
