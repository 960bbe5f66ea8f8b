//! Streams groups (KIP-1071).

use crate::wire::{Str, record};

record! {
    id 17, versions 0, flexible none, StreamsGroupMetadataKey;

    /// Names a streams group.
    struct StreamsGroupMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 17, versions 0, flexible 0+, StreamsGroupMetadataValue;

    /// A streams group's epoch and configuration.
    struct StreamsGroupMetadataValue {
        0+ epoch: i32,
        0+ metadata_hash: i64,
    } tagged {
        0 => 0+ validated_topology_epoch: i32 = -1,
        1 => 0+ last_assignment_configs: Option<Vec<LastAssignmentConfig>> = Some(Vec::new()),
        2 => 0+ stored_description_topology_epoch: i32 = -1,
        3 => 0+ failed_description_topology_epoch: i32 = -1,
    }

    struct LastAssignmentConfig {
        0+ key: Str,
        0+ value: Str,
    }
}

record! {
    id 19, versions 0, flexible none, StreamsGroupMemberMetadataKey;

    /// Names a member of a streams group.
    struct StreamsGroupMemberMetadataKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 19, versions 0, flexible 0+, StreamsGroupMemberMetadataValue;

    /// What a member of a streams group said of itself.
    struct StreamsGroupMemberMetadataValue {
        0+ instance_id: Option<Str>,
        0+ rack_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        0+ rebalance_timeout_ms: i32 = -1,
        0+ topology_epoch: i32,
        0+ process_id: Str,
        0+ user_endpoint: Option<Endpoint>,
        0+ client_tags: Vec<KeyValue>,
    }

    struct Endpoint {
        0+ host: Str,
        0+ port: u16,
    }

    struct KeyValue {
        0+ key: Str,
        0+ value: Str,
    }
}

record! {
    id 20, versions 0, flexible none, StreamsGroupTargetAssignmentMetadataKey;

    /// Names the target assignment of a streams group.
    struct StreamsGroupTargetAssignmentMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 20, versions 0, flexible 0+, StreamsGroupTargetAssignmentMetadataValue;

    /// The epoch that a streams group's target assignment was computed for.
    struct StreamsGroupTargetAssignmentMetadataValue {
        0+ assignment_epoch: i32,
    } tagged {
        0 => 0+ assignment_timestamp: i64,
    }
}

record! {
    id 21, versions 0, flexible none, StreamsGroupTargetAssignmentMemberKey;

    /// Names one member's part of a target assignment.
    struct StreamsGroupTargetAssignmentMemberKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 21, versions 0, flexible 0+, StreamsGroupTargetAssignmentMemberValue;

    /// The tasks that a member of a streams group is to run.
    struct StreamsGroupTargetAssignmentMemberValue {
        0+ active_tasks: Vec<TaskIds>,
        0+ standby_tasks: Vec<TaskIds>,
        0+ warmup_tasks: Vec<TaskIds>,
    }

    struct TaskIds {
        0+ subtopology_id: Str,
        0+ partitions: Vec<i32>,
    }
}

record! {
    id 22, versions 0, flexible none, StreamsGroupCurrentMemberAssignmentKey;

    /// Names the tasks that a member of a streams group runs now.
    struct StreamsGroupCurrentMemberAssignmentKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 22, versions 0, flexible 0+, StreamsGroupCurrentMemberAssignmentValue;

    /// The tasks that a member of a streams group runs now, and those it must give up.
    struct StreamsGroupCurrentMemberAssignmentValue {
        0+ member_epoch: i32,
        0+ previous_member_epoch: i32,
        0+ state: i8,
        0+ active_tasks: Vec<CurrentTaskIds>,
        0+ standby_tasks: Vec<CurrentTaskIds>,
        0+ warmup_tasks: Vec<CurrentTaskIds>,
        0+ active_tasks_pending_revocation: Vec<CurrentTaskIds>,
        0+ standby_tasks_pending_revocation: Vec<CurrentTaskIds>,
        0+ warmup_tasks_pending_revocation: Vec<CurrentTaskIds>,
    }

    struct CurrentTaskIds {
        0+ subtopology_id: Str,
        0+ partitions: Vec<i32>,
    } tagged {
        0 => 0+ assignment_epochs: Option<Vec<i32>> = Some(Vec::new()),
    }
}

record! {
    id 23, versions 0, flexible none, StreamsGroupTopologyKey;

    /// Names the topology of a streams group.
    struct StreamsGroupTopologyKey {
        0+ group_id: Str,
    }
}

record! {
    id 23, versions 0, flexible 0+, StreamsGroupTopologyValue;

    /// The topology of a streams group.
    struct StreamsGroupTopologyValue {
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
        0+ topic_configs: Vec<TopicConfig>,
    }

    struct TopicConfig {
        0+ key: Str,
        0+ value: Str,
    }
}
