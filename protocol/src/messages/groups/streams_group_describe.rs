//! StreamsGroupDescribe, key 89.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 89, versions 0-1, flexible 0+, StreamsGroupDescribeRequest => StreamsGroupDescribeResponse;

    /// Asks for the state, topology and members of streams groups (KIP-1071).
    struct StreamsGroupDescribeRequest {
        0+ group_ids: Vec<Str>,
        0+ include_authorized_operations: bool,
        1+ include_topology_description: bool,
    }

    /// Each group with its topology and members.
    struct StreamsGroupDescribeResponse {
        0+ throttle_time_ms: i32,
        0+ groups: Vec<DescribedGroup>,
    }

    struct DescribedGroup {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ group_id: Str,
        0+ group_state: Str,
        0+ group_epoch: i32,
        0+ assignment_epoch: i32,
        0+ topology: Option<Topology>,
        0+ members: Vec<Member>,
        0+ authorized_operations: i32 = i32::MIN,
        1+ topology_description: Option<TopologyDescription>,
        1+ topology_description_status: i8,
        1+ assignor_name: Option<Str>,
    }

    struct Topology {
        0+ epoch: i32,
        0+ subtopologies: Option<Vec<Subtopology>>,
    }

    struct Subtopology {
        0+ subtopology_id: Str,
        0+ source_topics: Vec<Str>,
        0+ repartition_sink_topics: Vec<Str>,
        0+ state_changelog_topics: Vec<TopicInfo>,
        0+ repartition_source_topics: Vec<TopicInfo>,
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

    struct Member {
        0+ member_id: Str,
        0+ member_epoch: i32,
        0+ instance_id: Option<Str>,
        0+ rack_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        0+ topology_epoch: i32,
        0+ process_id: Str,
        0+ user_endpoint: Option<Endpoint>,
        0+ client_tags: Vec<KeyValue>,
        0+ task_offsets: Vec<TaskOffset>,
        0+ task_end_offsets: Vec<TaskOffset>,
        0+ assignment: Assignment,
        0+ target_assignment: Assignment,
        0+ is_classic: bool,
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

    struct Assignment {
        0+ active_tasks: Vec<TaskIds>,
        0+ standby_tasks: Vec<TaskIds>,
        0+ warmup_tasks: Vec<TaskIds>,
    }

    struct TaskIds {
        0+ subtopology_id: Str,
        0+ partitions: Vec<i32>,
    }

    struct TopologyDescription {
        1+ subtopologies: Vec<TopologyDescriptionSubtopology>,
        1+ global_stores: Vec<TopologyDescriptionGlobalStore>,
    }

    struct TopologyDescriptionSubtopology {
        1+ subtopology_id: Str,
        1+ nodes: Vec<TopologyDescriptionNode>,
    }

    struct TopologyDescriptionNode {
        1+ name: Str,
        1+ node_type: i8,
        1+ source_topics: Vec<Str>,
        1+ sink_topic: Option<Str>,
        1+ stores: Vec<Str>,
        1+ successors: Vec<Str>,
    }

    struct TopologyDescriptionGlobalStore {
        1+ source: TopologyDescriptionNode,
        1+ processor: TopologyDescriptionNode,
    }
}
