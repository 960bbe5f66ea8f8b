//! DeleteGroups, key 42.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 42, versions 0-3, flexible 2+, DeleteGroupsRequest => DeleteGroupsResponse;

    /// Deletes groups that have no members.
    struct DeleteGroupsRequest {
        0+ groups_names: Vec<Str>,
    }

    /// What became of each group.
    struct DeleteGroupsResponse {
        0+ throttle_time_ms: i32,
        0+ results: Vec<DeletableGroupResult>,
    }

    struct DeletableGroupResult {
        0+ group_id: Str,
        0+ error_code: ErrorCode,
        3+ error_message: Option<Str>,
    }
}
