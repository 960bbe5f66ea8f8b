//! Groups of the classic protocol, whose members compute the assignment.

use bytes::Bytes;

use crate::wire::{Str, record};

record! {
    id 2, versions 0, flexible none, GroupMetadataKey;

    /// Names a classic group.
    struct GroupMetadataKey {
        0+ group: Str,
    }
}

record! {
    id 2, versions 0-4, flexible 4+, GroupMetadataValue;

    /// A classic group's generation and members.
    struct GroupMetadataValue {
        0+ protocol_type: Str,
        0+ generation: i32,
        0+ protocol: Option<Str>,
        0+ leader: Option<Str>,
        2+ current_state_timestamp: i64 = -1,
        0+ members: Vec<MemberMetadata>,
    }

    struct MemberMetadata {
        0+ member_id: Str,
        3+ group_instance_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        1+ rebalance_timeout: i32 = -1,
        0+ session_timeout: i32,
        0+ subscription: Bytes,
        0+ assignment: Bytes,
    }
}
