//! RemoveRaftVoter, key 81.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 81, versions 0, flexible 0+, RemoveRaftVoterRequest => RemoveRaftVoterResponse;

    /// Removes a voter from the metadata quorum (KIP-853).
    struct RemoveRaftVoterRequest {
        0+ cluster_id: Option<Str>,
        0+ voter_id: i32,
        0+ voter_directory_id: Uuid,
    }

    /// Whether the voter was removed.
    struct RemoveRaftVoterResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
