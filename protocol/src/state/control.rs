//! Control records of logs, and the entries of their transaction index.

use crate::{Uuid, wire::record};

record! {
    versions 0, flexible none, EndTxnMarker;

    /// Ends a transaction in a partition.
    struct EndTxnMarker {
        0+ coordinator_epoch: i32,
    }
}

record! {
    versions 0, flexible none, AbortedTxn;

    /// An aborted transaction in a segment's transaction index.
    struct AbortedTxn {
        0+ producer_id: i64,
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ last_stable_offset: i64,
    }
}

record! {
    versions 0-1, flexible 0+, LeaderChangeMessage;

    /// A new leader of the metadata quorum.
    struct LeaderChangeMessage {
        0+ version: i16,
        0+ leader_id: i32,
        0+ voters: Vec<Voter>,
        0+ granting_voters: Vec<Voter>,
    }

    struct Voter {
        0+ voter_id: i32,
        1+ voter_directory_id: Uuid,
    }
}

record! {
    versions 0, flexible 0+, SnapshotHeaderRecord;

    /// Begins a snapshot of the metadata log.
    struct SnapshotHeaderRecord {
        0+ version: i16,
        0+ last_contained_log_timestamp: i64,
    }
}

record! {
    versions 0, flexible 0+, SnapshotFooterRecord;

    /// Ends a snapshot of the metadata log.
    struct SnapshotFooterRecord {
        0+ version: i16,
    }
}

record! {
    versions 0, flexible 0+, KRaftVersionRecord;

    /// The version of the quorum's own protocol.
    struct KRaftVersionRecord {
        0+ version: i16,
        0+ k_raft_version: i16,
    }
}
