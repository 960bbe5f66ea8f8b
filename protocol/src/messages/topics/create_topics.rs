//! CreateTopics, key 19.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 19, versions 2-7, flexible 5+, CreateTopicsRequest => CreateTopicsResponse;

    /// Creates topics, or only checks whether they could be created.
    struct CreateTopicsRequest {
        0+ topics: Vec<CreatableTopic>,
        0+ timeout_ms: i32 = 60000,
        1+ validate_only: bool,
    }

    struct CreatableTopic {
        0+ name: Str,
        0+ num_partitions: i32,
        0+ replication_factor: i16,
        0+ assignments: Vec<CreatableReplicaAssignment>,
        0+ configs: Vec<CreatableTopicConfig>,
    }

    struct CreatableReplicaAssignment {
        0+ partition_index: i32,
        0+ broker_ids: Vec<i32>,
    }

    struct CreatableTopicConfig {
        0+ name: Str,
        0+ value: Option<Str>,
    }

    /// What became of each topic.
    struct CreateTopicsResponse {
        2+ throttle_time_ms: i32,
        0+ topics: Vec<CreatableTopicResult>,
    }

    struct CreatableTopicResult {
        0+ name: Str,
        7+ topic_id: Uuid,
        0+ error_code: ErrorCode,
        1+ error_message: Option<Str>,
        5+ num_partitions: i32 = -1,
        5+ replication_factor: i16 = -1,
        5+ configs: Option<Vec<CreatableTopicConfigs>>,
    } tagged {
        0 => 5+ topic_config_error_code: ErrorCode,
    }

    struct CreatableTopicConfigs {
        5+ name: Str,
        5+ value: Option<Str>,
        5+ read_only: bool,
        5+ config_source: i8 = -1,
        5+ is_sensitive: bool,
    }
}
