//! ListGroups, key 16.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 16, versions 0-5, flexible 3+, ListGroupsRequest => ListGroupsResponse;

    /// Asks which groups this broker coordinates.
    struct ListGroupsRequest {
        4+ states_filter: Vec<Str>,
        5+ types_filter: Vec<Str>,
    }

    /// The groups by id, type and state.
    struct ListGroupsResponse {
        1+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ groups: Vec<ListedGroup>,
    }

    struct ListedGroup {
        0+ group_id: Str,
        0+ protocol_type: Str,
        4+ group_state: Str,
        5+ group_type: Str,
    }
}
