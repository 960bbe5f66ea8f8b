//! LeaveGroup, key 13.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 13, versions 0-5, flexible 4+, LeaveGroupRequest => LeaveGroupResponse;

    /// Takes members out of a classic group.
    struct LeaveGroupRequest {
        0+  group_id: Str,
        0-2 member_id: Str,
        3+  members: Vec<MemberIdentity>,
    }

    struct MemberIdentity {
        3+ member_id: Str,
        3+ group_instance_id: Option<Str>,
        5+ reason: Option<Str>,
    }

    /// What became of each member.
    struct LeaveGroupResponse {
        1+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        3+ members: Vec<MemberResponse>,
    }

    struct MemberResponse {
        3+ member_id: Str,
        3+ group_instance_id: Option<Str>,
        3+ error_code: ErrorCode,
    }
}
