//! StreamsGroupHeartbeat, key 88.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 88, versions 0-1, flexible 0+,
    StreamsGroupHeartbeatRequest => StreamsGroupHeartbeatResponse;

    /// Joins, stays in or leaves a streams group (KIP-1071).
    struct StreamsGroupHeartbeatRequest {
        0+ group_id: Str,
        0+ member_id: Str,
        0+ member_epoch: i32,
        0+ endpoint_information_epoch: i32,
        0+ instance_id: Option<Str>,
        0+ rack_id: Option<Str>,
        0+ rebalance_timeout_ms: i32 = -1,
        0+ topology: Option<Topology>,
        0+ active_tasks: Option<Vec<TaskIds>>,
        0+ standby_tasks: Option<Vec<TaskIds>>,
        0+ warmup_tasks: Option<Vec<TaskIds>>,
        0+ process_id: Option<Str>,
        0+ user_endpoint: Option<Endpoint>,
        0+ client_tags: Option<Vec<KeyValue>>,
        0+ task_offsets: Option<Vec<TaskOffset>>,
        0+ task_end_offsets: Option<Vec<TaskOffset>>,
        0+ shutdown_application: bool,
    }

    struct Topology {
        0+ epoch: i32,
        0+ subtopologies: Vec<Subtopology>,
    }

    struct Subtopology {
        0+ subtopology_id: Str,
        0+ source_topics: Vec<Str>,
        0+ source_topic_regex: Vec<Str>,
        0+ state_changelog_topics: Vec<TopicInfo>,
        0+ repartition_sink_topics: Vec<Str>,
        0+ repartition_source_topics: Vec<TopicInfo>,
        0+ copartition_groups: Vec<CopartitionGroup>,
    }

    struct CopartitionGroup {
        0+ source_topics: Vec<i16>,
        0+ source_topic_regex: Vec<i16>,
        0+ repartition_source_topics: Vec<i16>,
    }

    struct TopicInfo {
        0+ name: Str,
        0+ partitions: i32,
        0+ replication_factor: i16,
        0+ topic_configs: Vec<KeyValue>,
    }

    struct KeyValue {
        0+ key: Str,
        0+ value: Str,
    }

    struct Endpoint {
        0+ host: Str,
        0+ port: u16,
    }

    struct TaskOffset {
        0+ subtopology_id: Str,
        0+ partition: i32,
        0+ offset: i64,
    }

    struct TaskIds {
        0+ subtopology_id: Str,
        0+ partitions: Vec<i32>,
    }

    /// The member's epoch and its tasks.
    struct StreamsGroupHeartbeatResponse {
        0+  throttle_time_ms: i32,
        0+  error_code: ErrorCode,
        0+  error_message: Option<Str>,
        0+  member_id: Str,
        0+  member_epoch: i32,
        0+  heartbeat_interval_ms: i32,
        0-0 acceptable_recovery_lag_legacy: i32,
        0+  task_offset_interval_ms: i32,
        1+  acceptable_recovery_lag: i64 = -1,
        0+  status: Option<Vec<Status>>,
        0+  active_tasks: Option<Vec<TaskIdsResult>>,
        0+  standby_tasks: Option<Vec<TaskIdsResult>>,
        0+  warmup_tasks: Option<Vec<TaskIdsResult>>,
        1+  topology_description_required: bool,
        0+  endpoint_information_epoch: i32,
        0+  partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
    }

    struct EndpointToPartitions {
        0+ user_endpoint: EndpointResult,
        0+ active_partitions: Vec<TopicPartition>,
        0+ standby_partitions: Vec<TopicPartition>,
    }

    struct TopicPartition {
        0+ topic: Str,
        0+ partitions: Vec<i32>,
    }

    struct EndpointResult {
        0+ host: Str,
        0+ port: u16,
    }

    struct Status {
        0+ status_code: i8,
        0+ status_detail: Str,
    }

    struct TaskIdsResult {
        0+ subtopology_id: Str,
        0+ partitions: Vec<i32>,
    }
}
