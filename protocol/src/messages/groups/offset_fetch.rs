//! OffsetFetch, key 9.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 9, versions 1-10, flexible 6+, OffsetFetchRequest => OffsetFetchResponse;

    /// Asks how far groups have read.
    struct OffsetFetchRequest {
        0-7 group_id: Str,
        0-7 topics: Option<Vec<OffsetFetchRequestTopic>> where null 2-7,
        8+  groups: Vec<OffsetFetchRequestGroup>,
        7+  require_stable: bool,
    }

    struct OffsetFetchRequestTopic {
        0-7 name: Str,
        0-7 partition_indexes: Vec<i32>,
    }

    struct OffsetFetchRequestGroup {
        8+ group_id: Str,
        9+ member_id: Option<Str>,
        9+ member_epoch: i32 = -1,
        8+ topics: Option<Vec<OffsetFetchRequestTopics>>,
    }

    struct OffsetFetchRequestTopics {
        8-9 name: Str,
        10+ topic_id: Uuid,
        8+  partition_indexes: Vec<i32>,
    }

    /// The committed offsets.
    struct OffsetFetchResponse {
        3+  throttle_time_ms: i32,
        0-7 topics: Vec<OffsetFetchResponseTopic>,
        2-7 error_code: ErrorCode,
        8+  groups: Vec<OffsetFetchResponseGroup>,
    }

    struct OffsetFetchResponseTopic {
        0-7 name: Str,
        0-7 partitions: Vec<OffsetFetchResponsePartition>,
    }

    struct OffsetFetchResponsePartition {
        0-7 partition_index: i32,
        0-7 committed_offset: i64,
        5-7 committed_leader_epoch: i32 = -1,
        0-7 metadata: Option<Str>,
        0-7 error_code: ErrorCode,
    }

    struct OffsetFetchResponseGroup {
        8+ group_id: Str,
        8+ topics: Vec<OffsetFetchResponseTopics>,
        8+ error_code: ErrorCode,
    }

    struct OffsetFetchResponseTopics {
        8-9 name: Str,
        10+ topic_id: Uuid,
        8+  partitions: Vec<OffsetFetchResponsePartitions>,
    }

    struct OffsetFetchResponsePartitions {
        8+ partition_index: i32,
        8+ committed_offset: i64,
        8+ committed_leader_epoch: i32 = -1,
        8+ metadata: Option<Str>,
        8+ error_code: ErrorCode,
    }
}
