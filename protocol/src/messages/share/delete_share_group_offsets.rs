//! DeleteShareGroupOffsets, key 92.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 92, versions 0, flexible 0+,
    DeleteShareGroupOffsetsRequest => DeleteShareGroupOffsetsResponse;

    /// Forgets from where a share group reads, by topic.
    struct DeleteShareGroupOffsetsRequest {
        0+ group_id: Str,
        0+ topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
    }

    struct DeleteShareGroupOffsetsRequestTopic {
        0+ topic_name: Str,
    }

    /// What became of each topic.
    struct DeleteShareGroupOffsetsResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
    }

    struct DeleteShareGroupOffsetsResponseTopic {
        0+ topic_name: Str,
        0+ topic_id: Uuid,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
