//! Topics, partitions and overrides.

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 2, versions 0, flexible 0+, TopicRecord;

    /// A topic was created.
    struct TopicRecord {
        0+ name: Str,
        0+ topic_id: Uuid,
    }
}

record! {
    id 9, versions 0, flexible 0+, RemoveTopicRecord;

    /// A topic was deleted.
    struct RemoveTopicRecord {
        0+ topic_id: Uuid,
    }
}

record! {
    id 3, versions 0-2, flexible 0+, PartitionRecord;

    /// A partition, whole.
    struct PartitionRecord {
        0+ partition_id: i32 = -1,
        0+ topic_id: Uuid,
        0+ replicas: Vec<i32>,
        0+ isr: Vec<i32>,
        0+ removing_replicas: Vec<i32>,
        0+ adding_replicas: Vec<i32>,
        0+ leader: i32 = -1,
        0+ leader_epoch: i32 = -1,
        0+ partition_epoch: i32 = -1,
        1+ directories: Vec<Uuid>,
    } tagged {
        0 => 0+ leader_recovery_state: i8,
        1 => 2+ eligible_leader_replicas: Option<Vec<i32>>,
        2 => 2+ last_known_elr: Option<Vec<i32>>,
    }
}

record! {
    id 5, versions 0-2, flexible 0+, PartitionChangeRecord;

    /// What changed in a partition.
    struct PartitionChangeRecord {
        0+ partition_id: i32 = -1,
        0+ topic_id: Uuid,
    } tagged {
        0 => 0+ isr: Option<Vec<i32>>,
        1 => 0+ leader: i32 = -2,
        2 => 0+ replicas: Option<Vec<i32>>,
        3 => 0+ removing_replicas: Option<Vec<i32>>,
        4 => 0+ adding_replicas: Option<Vec<i32>>,
        5 => 0+ leader_recovery_state: i8 = -1,
        6 => 2+ eligible_leader_replicas: Option<Vec<i32>>,
        7 => 2+ last_known_elr: Option<Vec<i32>>,
        8 => 1+ directories: Option<Vec<Uuid>>,
    }
}

record! {
    id 28, versions 0, flexible 0+, ClearElrRecord;

    /// The eligible leader replicas of a topic, or of all, were forgotten.
    struct ClearElrRecord {
        0+ topic_name: Str,
    }
}

record! {
    id 4, versions 0, flexible 0+, ConfigRecord;

    /// An override was set or removed.
    struct ConfigRecord {
        0+ resource_type: i8,
        0+ resource_name: Str,
        0+ name: Str,
        0+ value: Option<Str>,
    }
}
