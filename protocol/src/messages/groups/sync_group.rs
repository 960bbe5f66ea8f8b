//! SyncGroup, key 14.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 14, versions 0-5, flexible 4+, SyncGroupRequest => SyncGroupResponse;

    /// Brings the leader's assignment, and waits for one's own.
    struct SyncGroupRequest {
        0+ group_id: Str,
        0+ generation_id: i32,
        0+ member_id: Str,
        3+ group_instance_id: Option<Str>,
        5+ protocol_type: Option<Str>,
        5+ protocol_name: Option<Str>,
        0+ assignments: Vec<SyncGroupRequestAssignment>,
    }

    struct SyncGroupRequestAssignment {
        0+ member_id: Str,
        0+ assignment: Bytes,
    }

    /// What this member is to do.
    struct SyncGroupResponse {
        1+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        5+ protocol_type: Option<Str>,
        5+ protocol_name: Option<Str>,
        0+ assignment: Bytes,
    }
}
