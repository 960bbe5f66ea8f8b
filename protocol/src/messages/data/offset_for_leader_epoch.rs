//! OffsetForLeaderEpoch, key 23.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 23, versions 2-4, flexible 4+, OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse;

    /// Asks where a leader epoch ended, to tell whether a reader's log diverged (KIP-320).
    struct OffsetForLeaderEpochRequest {
        3+ replica_id: i32 = -2,
        0+ topics: Vec<OffsetForLeaderTopic>,
    }

    struct OffsetForLeaderTopic {
        0+ topic: Str,
        0+ partitions: Vec<OffsetForLeaderPartition>,
    }

    struct OffsetForLeaderPartition {
        0+ partition: i32,
        2+ current_leader_epoch: i32 = -1,
        0+ leader_epoch: i32,
    }

    /// The end of each epoch asked about.
    struct OffsetForLeaderEpochResponse {
        2+ throttle_time_ms: i32,
        0+ topics: Vec<OffsetForLeaderTopicResult>,
    }

    struct OffsetForLeaderTopicResult {
        0+ topic: Str,
        0+ partitions: Vec<EpochEndOffset>,
    }

    struct EpochEndOffset {
        0+ error_code: ErrorCode,
        0+ partition: i32,
        1+ leader_epoch: i32 = -1,
        0+ end_offset: i64 = -1,
    }
}
