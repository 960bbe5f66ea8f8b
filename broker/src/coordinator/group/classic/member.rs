//! One member of a classic group.

use std::sync::Arc;

use bytes::Bytes;
use milena_protocol::{
    messages::groups::{
        describe_groups::DescribedGroupMember,
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponseMember},
    },
    wire::Str,
};

use crate::coordinator::{
    group::Joiner,
    runtime::{Alarm, Ticket},
};

/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Member {
    pub(super) instance: Option<Str>,
    pub(super) client_id: Str,
    pub(super) client_host: Str,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// How it could divide the work, best first.
    pub(super) protocols: Arc<[Protocol]>,
    pub(super) assignment: Bytes,
    pub(super) joining: Option<Ticket>,
    pub(super) syncing: Option<Ticket>,
    /// It has not been told its generation yet, and so cannot send heartbeats.
    pub(super) is_new: bool,
    pub(super) session: Alarm,
}

/// A way to divide the work, and what the member has to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::coordinator::group) struct Protocol {
    pub(super) name: Str,
    pub(super) metadata: Bytes,
}

impl Member {
    pub(super) fn new(r: &JoinGroupRequest, joiner: &Joiner) -> Self {
        Self {
            instance: r.group_instance_id.as_ref().map(Str::detached),
            client_id: joiner.client_id.detached(),
            client_host: joiner.client_host.clone(),
            rebalance_timeout_ms: rebalance_timeout_ms(r),
            session_timeout_ms: r.session_timeout_ms,
            protocols: protocols_of(r),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            session: Alarm::default(),
        }
    }

    /// Whether it offers just this.
    pub(super) fn offers(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        let same = |(ours, theirs): (&Protocol, &JoinGroupRequestProtocol)| {
            ours.name == theirs.name && ours.metadata == theirs.metadata
        };
        self.protocols.len() == protocols.len() && self.protocols.iter().zip(protocols).all(same)
    }

    /// What it says about a protocol; nothing about one that it does not know.
    pub(super) fn metadata(&self, protocol: Option<&Str>) -> Bytes {
        let known = self.protocols.iter().find(|offered| Some(&offered.name) == protocol);
        known.map(|offered| offered.metadata.clone()).unwrap_or_default()
    }

    /// While it waits for others it need not send heartbeats.
    pub(super) fn may_be_silent(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    pub(super) fn as_seen_by_leader(
        &self,
        id: &Str,
        protocol: Option<&Str>,
    ) -> JoinGroupResponseMember {
        JoinGroupResponseMember {
            member_id: id.clone(),
            group_instance_id: self.instance.clone(),
            metadata: self.metadata(protocol),
        }
    }

    /// Its metadata is shown only in a `stable` group: the next protocol may be another. Its
    /// assignment is what it was given last.
    pub(super) fn describe(
        &self,
        id: &Str,
        protocol: Option<&Str>,
        stable: bool,
    ) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: id.clone(),
            group_instance_id: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_metadata: if stable { self.metadata(protocol) } else { Bytes::new() },
            member_assignment: self.assignment.clone(),
        }
    }
}

pub(super) fn protocols_of(r: &JoinGroupRequest) -> Arc<[Protocol]> {
    let copy = |offered: &JoinGroupRequestProtocol| Protocol {
        name: offered.name.detached(),
        metadata: Bytes::copy_from_slice(&offered.metadata),
    };
    r.protocols.iter().map(copy).collect()
}

/// Version 0 knows but one time-out.
pub(super) fn rebalance_timeout_ms(r: &JoinGroupRequest) -> i32 {
    if r.rebalance_timeout_ms < 0 { r.session_timeout_ms } else { r.rebalance_timeout_ms }
}
