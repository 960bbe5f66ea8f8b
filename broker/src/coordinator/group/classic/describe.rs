//! What others are told of a group.

use std::collections::BTreeSet;

use bytes::Buf;
use milena_protocol::{
    messages::groups::{describe_groups::DescribedGroup, list_groups::ListedGroup},
    state::consumer_protocol::ConsumerProtocolSubscription,
    wire::{Record, Str, Wire},
};

use super::{Group, State};

impl Group {
    pub(in crate::coordinator::group) fn describe(&self) -> DescribedGroup {
        let stable = self.state == State::Stable;
        let protocol = self.protocol.as_ref();
        let members = self.members.iter();
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: Str::from_static(self.state.name()),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.filter(|_| stable).cloned().unwrap_or_default(),
            members: members.map(|(id, member)| member.describe(id, protocol, stable)).collect(),
            ..DescribedGroup::default()
        }
    }

    pub(in crate::coordinator::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: Str::from_static(self.state.name()),
            group_type: Str::from_static(CLASSIC),
        }
    }

    /// The topics that the members read, if that can be told: they are consumers that speak the
    /// consumer's protocol.
    pub(in crate::coordinator::group) fn subscribed_topics(&self) -> Option<BTreeSet<Str>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = Some(self.protocol.as_ref()?);
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let mut metadata = member.metadata(protocol);
            metadata.try_get_i16().ok()?;
            // Each version begins with what version 0 has.
            let version = ConsumerProtocolSubscription::version(0);
            let subscription = ConsumerProtocolSubscription::decode(&mut metadata, version).ok()?;
            topics.extend(subscription.topics);
        }
        Some(topics)
    }
}

const CLASSIC: &str = "classic";
