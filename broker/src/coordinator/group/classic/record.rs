//! A group's record in `__consumer_offsets`, and the group from its record.

use std::sync::Arc;

use bytes::Bytes;
use milena_protocol::{
    Timestamp,
    state::{
        encode_value,
        groups::{GroupKey, GroupMetadataKey, GroupMetadataValue, classic::MemberMetadata},
    },
    wire::Str,
};

use super::{
    Group, State,
    member::{Member, Protocol},
};
use crate::coordinator::runtime::{Alarm, StateRecord};

impl Group {
    /// What the group has agreed on: its generation, members and their assignments.
    pub(in crate::coordinator::group) fn record(&self) -> StateRecord {
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.since.unwrap_or(Timestamp::NONE).0,
            members: self
                .members
                .iter()
                .map(|(id, member)| self.member_record(id, member))
                .collect(),
        };
        StateRecord { key: self.key(), value: Some(encode_value(&value, VALUE_VERSION)) }
    }

    pub(in crate::coordinator::group) fn tombstone(&self) -> StateRecord {
        StateRecord { key: self.key(), value: None }
    }

    /// The group as its record and its offsets tell of it.
    pub(in crate::coordinator::group) fn restore(id: Str, value: &GroupMetadataValue) -> Self {
        let since = Some(Timestamp(value.current_state_timestamp));
        let mut group = Self::new(id, Timestamp::NONE);
        group.since = since.filter(|&since| since != Timestamp::NONE);
        let protocol_type = value.protocol_type.detached();
        let protocol = value.protocol.as_ref().map(Str::detached);
        for member in &value.members {
            let restored = restored(member, protocol.clone().unwrap_or_default());
            group.insert(member.member_id.detached(), restored, &protocol_type);
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
        }
        group.protocol_type = Some(protocol_type).filter(|name| !name.is_empty());
        group.protocol = protocol;
        group.generation = value.generation;
        group.leader = value.leader.as_ref().map(Str::detached);
        group
    }

    fn key(&self) -> Bytes {
        GroupKey::GroupMetadata(GroupMetadataKey { group: self.id.clone() }).encode()
    }

    fn member_record(&self, id: &Str, member: &Member) -> MemberMetadata {
        MemberMetadata {
            member_id: id.clone(),
            group_instance_id: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_ref()),
            assignment: member.assignment.clone(),
        }
    }
}

/// A member knows of all its protocols only the one that was chosen.
fn restored(member: &MemberMetadata, protocol: Str) -> Member {
    let metadata = Bytes::copy_from_slice(&member.subscription);
    let rebalance_timeout_ms = if member.rebalance_timeout < 0 {
        member.session_timeout
    } else {
        member.rebalance_timeout
    };
    Member {
        instance: member.group_instance_id.as_ref().map(Str::detached),
        client_id: member.client_id.detached(),
        client_host: member.client_host.detached(),
        rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout,
        protocols: Arc::from([Protocol { name: protocol, metadata }]),
        assignment: Bytes::copy_from_slice(&member.assignment),
        joining: None,
        syncing: None,
        is_new: false,
        session: Alarm::default(),
    }
}

/// What Kafka writes since 2.3.
const VALUE_VERSION: i16 = 3;
