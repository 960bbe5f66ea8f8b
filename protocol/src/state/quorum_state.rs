//! The `quorum-state` file of a replica of the metadata quorum (KIP-595).

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    versions 0-1, flexible 0+, QuorumStateData;

    /// What a replica of the metadata quorum must remember of elections.
    struct QuorumStateData {
        0-0 cluster_id: Str,
        0+  leader_id: i32 = -1,
        0+  leader_epoch: i32 = -1,
        0+  voted_id: i32 = -1,
        1+  voted_directory_id: Uuid,
        0-0 applied_offset: i64,
        0-0 current_voters: Option<Vec<Voter>>,
    }

    struct Voter {
        0-0 voter_id: i32,
    }
}
