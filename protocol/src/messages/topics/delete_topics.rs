//! DeleteTopics, key 20.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 20, versions 1-6, flexible 4+, DeleteTopicsRequest => DeleteTopicsResponse;

    /// Deletes topics by name or by id.
    struct DeleteTopicsRequest {
        6+  topics: Vec<DeleteTopicState>,
        0-5 topic_names: Vec<Str>,
        0+  timeout_ms: i32,
    }

    struct DeleteTopicState {
        6+ name: Option<Str>,
        6+ topic_id: Uuid,
    }

    /// What became of each topic.
    struct DeleteTopicsResponse {
        1+ throttle_time_ms: i32,
        0+ responses: Vec<DeletableTopicResult>,
    }

    struct DeletableTopicResult {
        0+ name: Option<Str> where null 6+,
        6+ topic_id: Uuid,
        0+ error_code: ErrorCode,
        5+ error_message: Option<Str>,
    }
}
