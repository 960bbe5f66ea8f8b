//! DescribeGroups, key 15.

use bytes::Bytes;

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 15, versions 0-6, flexible 5+, DescribeGroupsRequest => DescribeGroupsResponse;

    /// Asks for the state and members of classic groups.
    struct DescribeGroupsRequest {
        0+ groups: Vec<Str>,
        3+ include_authorized_operations: bool,
    }

    /// Each group with its members.
    struct DescribeGroupsResponse {
        1+ throttle_time_ms: i32,
        0+ groups: Vec<DescribedGroup>,
    }

    struct DescribedGroup {
        0+ error_code: ErrorCode,
        6+ error_message: Option<Str>,
        0+ group_id: Str,
        0+ group_state: Str,
        0+ protocol_type: Str,
        0+ protocol_data: Str,
        0+ members: Vec<DescribedGroupMember>,
        3+ authorized_operations: i32 = i32::MIN,
    }

    struct DescribedGroupMember {
        0+ member_id: Str,
        4+ group_instance_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        0+ member_metadata: Bytes,
        0+ member_assignment: Bytes,
    }
}
