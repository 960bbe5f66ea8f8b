//! Share groups (KIP-932).

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 11, versions 0, flexible none, ShareGroupMetadataKey;

    /// Names a share group.
    struct ShareGroupMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 11, versions 0, flexible 0+, ShareGroupMetadataValue;

    /// A share group's epoch.
    struct ShareGroupMetadataValue {
        0+ epoch: i32,
        0+ metadata_hash: i64,
    }
}

record! {
    id 10, versions 0, flexible none, ShareGroupMemberMetadataKey;

    /// Names a member of a share group.
    struct ShareGroupMemberMetadataKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 10, versions 0, flexible 0+, ShareGroupMemberMetadataValue;

    /// What a member of a share group said of itself.
    struct ShareGroupMemberMetadataValue {
        0+ rack_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        0+ subscribed_topic_names: Vec<Str>,
    }
}

record! {
    id 12, versions 0, flexible none, ShareGroupTargetAssignmentMetadataKey;

    /// Names the target assignment of a share group.
    struct ShareGroupTargetAssignmentMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 12, versions 0, flexible 0+, ShareGroupTargetAssignmentMetadataValue;

    /// The epoch that a share group's target assignment was computed for.
    struct ShareGroupTargetAssignmentMetadataValue {
        0+ assignment_epoch: i32,
    } tagged {
        0 => 0+ assignment_timestamp: i64,
    }
}

record! {
    id 13, versions 0, flexible none, ShareGroupTargetAssignmentMemberKey;

    /// Names one member's part of a target assignment.
    struct ShareGroupTargetAssignmentMemberKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 13, versions 0, flexible 0+, ShareGroupTargetAssignmentMemberValue;

    /// What a member of a share group is to read.
    struct ShareGroupTargetAssignmentMemberValue {
        0+ topic_partitions: Vec<TopicPartition>,
    }

    struct TopicPartition {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    }
}

record! {
    id 14, versions 0, flexible none, ShareGroupCurrentMemberAssignmentKey;

    /// Names what a member of a share group reads now.
    struct ShareGroupCurrentMemberAssignmentKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 14, versions 0, flexible 0+, ShareGroupCurrentMemberAssignmentValue;

    /// What a member of a share group reads now.
    struct ShareGroupCurrentMemberAssignmentValue {
        0+ member_epoch: i32,
        0+ previous_member_epoch: i32,
        0+ state: i8,
        0+ assigned_partitions: Vec<TopicPartitions>,
    }

    struct TopicPartitions {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    }
}

record! {
    id 15, versions 0, flexible none, ShareGroupStatePartitionMetadataKey;

    /// Names the share partitions of a group.
    struct ShareGroupStatePartitionMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 15, versions 0, flexible 0+, ShareGroupStatePartitionMetadataValue;

    /// Which share partitions of a group are started, starting, or being deleted.
    struct ShareGroupStatePartitionMetadataValue {
        0+ initializing_topics: Vec<TopicPartitionsInfo>,
        0+ initialized_topics: Vec<TopicPartitionsInfo>,
        0+ deleting_topics: Vec<TopicInfo>,
    }

    struct TopicPartitionsInfo {
        0+ topic_id: Uuid,
        0+ topic_name: Str,
        0+ partitions: Vec<i32>,
    }

    struct TopicInfo {
        0+ topic_id: Uuid,
        0+ topic_name: Str,
    }
}
