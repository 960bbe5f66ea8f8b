//! JoinGroup, key 11.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 11, versions 0-9, flexible 6+, JoinGroupRequest => JoinGroupResponse;

    /// Enters a classic group, or stays in it when it rebalances.
    struct JoinGroupRequest {
        0+ group_id: Str,
        0+ session_timeout_ms: i32,
        1+ rebalance_timeout_ms: i32 = -1,
        0+ member_id: Str,
        5+ group_instance_id: Option<Str>,
        0+ protocol_type: Str,
        0+ protocols: Vec<JoinGroupRequestProtocol>,
        8+ reason: Option<Str>,
    }

    struct JoinGroupRequestProtocol {
        0+ name: Str,
        0+ metadata: Bytes,
    }

    /// The generation joined, and to the leader all members.
    struct JoinGroupResponse {
        2+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ generation_id: i32 = -1,
        7+ protocol_type: Option<Str>,
        0+ protocol_name: Option<Str> where null 7+,
        0+ leader: Str,
        9+ skip_assignment: bool,
        0+ member_id: Str,
        0+ members: Vec<JoinGroupResponseMember>,
    }

    struct JoinGroupResponseMember {
        0+ member_id: Str,
        5+ group_instance_id: Option<Str>,
        0+ metadata: Bytes,
    }
}
