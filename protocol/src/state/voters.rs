//! The voters of the metadata quorum (KIP-853).

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    versions 0, flexible 0+, VotersRecord;

    /// The voters of the metadata quorum.
    struct VotersRecord {
        0+ version: i16,
        0+ voters: Vec<Voter>,
    }

    struct Voter {
        0+ voter_id: i32,
        0+ voter_directory_id: Uuid,
        0+ endpoints: Vec<Endpoint>,
        0+ k_raft_version_feature: KRaftVersionFeature,
    }

    struct Endpoint {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
    }

    struct KRaftVersionFeature {
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }
}
