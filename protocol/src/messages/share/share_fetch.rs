//! ShareFetch, key 78.

use crate::{
    ErrorCode, Uuid,
    wire::{Records, Str, api},
};

api! {
    key 78, versions 1-2, flexible 0+, ShareFetchRequest => ShareFetchResponse;

    /// Acquires records for a member of a share group, and acknowledges earlier ones.
    struct ShareFetchRequest {
        0+ group_id: Option<Str>,
        0+ member_id: Option<Str>,
        0+ share_session_epoch: i32,
        0+ max_wait_ms: i32,
        0+ min_bytes: i32,
        0+ max_bytes: i32 = i32::MAX,
        1+ max_records: i32,
        1+ batch_size: i32,
        2+ share_acquire_mode: i8,
        2+ is_renew_ack: bool,
        0+ topics: Vec<FetchTopic>,
        0+ forgotten_topics_data: Vec<ForgottenTopic>,
    }

    struct FetchTopic {
        0+ topic_id: Uuid,
        0+ partitions: Vec<FetchPartition>,
    }

    struct FetchPartition {
        0+  partition_index: i32,
        0-0 partition_max_bytes: i32,
        0+  acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    struct AcknowledgementBatch {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ acknowledge_types: Vec<i8>,
    }

    struct ForgottenTopic {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    }

    /// Records, and which of them the member has acquired.
    struct ShareFetchResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        1+ acquisition_lock_timeout_ms: i32,
        0+ responses: Vec<ShareFetchableTopicResponse>,
        0+ node_endpoints: Vec<NodeEndpoint>,
    }

    struct ShareFetchableTopicResponse {
        0+ topic_id: Uuid,
        0+ partitions: Vec<PartitionData>,
    }

    struct PartitionData {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ acknowledge_error_code: ErrorCode,
        0+ acknowledge_error_message: Option<Str>,
        0+ current_leader: LeaderIdAndEpoch,
        0+ records: Option<Records> where null 0-0,
        0+ acquired_records: Vec<AcquiredRecords>,
    }

    struct LeaderIdAndEpoch {
        0+ leader_id: i32,
        0+ leader_epoch: i32,
    }

    struct AcquiredRecords {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ delivery_count: i16,
    }

    struct NodeEndpoint {
        0+ node_id: i32,
        0+ host: Str,
        0+ port: i32,
        0+ rack: Option<Str>,
    }
}
