//! A group whose members change their protocol one by one: what it hands over to the other
//! protocol, and what it takes over from there.

use std::sync::Arc;

use bytes::Bytes;
use milena_protocol::{ErrorCode, wire::Str};

use super::{
    CONSUMER, Group, State, join_refused,
    member::{Member, Protocol},
};
use crate::coordinator::{
    group::{Reply, machine::Step},
    runtime::Alarm,
};

/// A member of the classic protocol, in the terms that both kinds of groups know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Handed {
    pub(in crate::coordinator::group) id: Str,
    pub(in crate::coordinator::group) instance: Option<Str>,
    pub(in crate::coordinator::group) client_id: Str,
    pub(in crate::coordinator::group) client_host: Str,
    pub(in crate::coordinator::group) rebalance_timeout_ms: i32,
    pub(in crate::coordinator::group) session_timeout_ms: i32,
    /// How it could divide the work, best first, and what it has to say about each way.
    pub(in crate::coordinator::group) protocols: Vec<(Str, Bytes)>,
    pub(in crate::coordinator::group) assignment: Bytes,
}

impl Group {
    /// The generation, and the members with what they say about the protocol in use first.
    pub(in crate::coordinator::group) fn hand_over(&self) -> (i32, Vec<Handed>) {
        let in_use = self.protocol.as_ref();
        let members = self.members.iter().map(|(id, member)| {
            let offered = member.protocols.iter();
            let mut protocols: Vec<(Str, Bytes)> =
                offered.map(|one| (one.name.clone(), one.metadata.clone())).collect();
            protocols.sort_by_key(|(name, _)| Some(name) != in_use);
            Handed {
                id: id.clone(),
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                protocols,
                assignment: member.assignment.clone(),
            }
        });
        (self.generation, members.collect())
    }

    /// Whoever waits for the others is told to join again: the group is about to be another.
    pub(in crate::coordinator::group) fn send_away(&self, step: &mut Step<'_>) {
        let again = ErrorCode::RebalanceInProgress;
        for (id, member) in &self.members {
            if let Some(ticket) = member.joining {
                step.turn.reply(ticket, Reply::Join(join_refused(id.clone(), again)));
            }
            if let Some(ticket) = member.syncing {
                step.turn.reply(ticket, Reply::Sync(super::sync::refused(again)));
            }
        }
    }

    /// A group of members that are at work, and that join anew for their next generation.
    pub(in crate::coordinator::group) fn take_over(
        id: Str,
        generation: i32,
        members: Vec<Handed>,
        step: &mut Step<'_>,
    ) -> Self {
        let mut group = Self::new(id, step.turn.now.wall);
        group.generation = generation;
        let protocol_type = Str::from_static(CONSUMER);
        for handed in members {
            let protocols = handed.protocols.into_iter();
            let protocols: Vec<Protocol> =
                protocols.map(|(name, metadata)| Protocol { name, metadata }).collect();
            let member = Member {
                instance: handed.instance,
                client_id: handed.client_id,
                client_host: handed.client_host,
                rebalance_timeout_ms: handed.rebalance_timeout_ms,
                session_timeout_ms: handed.session_timeout_ms,
                protocols: Arc::from(protocols),
                assignment: handed.assignment,
                joining: None,
                syncing: None,
                is_new: false,
                session: Alarm::default(),
            };
            group.insert(handed.id.clone(), member, &protocol_type);
            group.rearm(&handed.id, step);
        }
        group.state = State::Stable;
        group.protocol = group.elect_protocol();
        step.turn.write(group.record());
        group.prepare_rebalance(step);
        group
    }
}
