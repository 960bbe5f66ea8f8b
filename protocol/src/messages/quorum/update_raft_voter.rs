//! UpdateRaftVoter, key 82.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 82, versions 0, flexible 0+, UpdateRaftVoterRequest => UpdateRaftVoterResponse;

    /// Changes the endpoints and versions of a voter (KIP-853).
    struct UpdateRaftVoterRequest {
        0+ cluster_id: Option<Str>,
        0+ current_leader_epoch: i32,
        0+ voter_id: i32,
        0+ voter_directory_id: Uuid,
        0+ listeners: Vec<Listener>,
        0+ k_raft_version_feature: KRaftVersionFeature,
    }

    struct Listener {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
    }

    struct KRaftVersionFeature {
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }

    /// Whether the voter was changed, and who leads.
    struct UpdateRaftVoterResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
    } tagged {
        0 => 0+ current_leader: CurrentLeader,
    }

    struct CurrentLeader {
        0+ leader_id: i32 = -1,
        0+ leader_epoch: i32 = -1,
        0+ host: Str,
        0+ port: i32,
    }
}
