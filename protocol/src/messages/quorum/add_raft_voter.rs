//! AddRaftVoter, key 80.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 80, versions 0-1, flexible 0+, AddRaftVoterRequest => AddRaftVoterResponse;

    /// Adds a voter to the metadata quorum (KIP-853).
    struct AddRaftVoterRequest {
        0+ cluster_id: Option<Str>,
        0+ timeout_ms: i32,
        0+ voter_id: i32,
        0+ voter_directory_id: Uuid,
        0+ listeners: Vec<Listener>,
        1+ ack_when_committed: bool = true,
    }

    struct Listener {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
    }

    /// Whether the voter was added.
    struct AddRaftVoterResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
