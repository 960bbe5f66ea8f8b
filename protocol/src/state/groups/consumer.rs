//! Consumer groups, whose assignment the broker computes (KIP-848).

use bytes::Bytes;

use crate::{
    Uuid,
    wire::{Str, record, tagged::TaggedOption},
};

record! {
    id 3, versions 0, flexible none, ConsumerGroupMetadataKey;

    /// Names a consumer group.
    struct ConsumerGroupMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 3, versions 0, flexible 0+, ConsumerGroupMetadataValue;

    /// A consumer group's epoch.
    struct ConsumerGroupMetadataValue {
        0+ epoch: i32,
    } tagged {
        0 => 0+ metadata_hash: i64,
    }
}

record! {
    id 4, versions 0, flexible none, ConsumerGroupPartitionMetadataKey;

    /// Names the partitions that a consumer group knew, as Kafka 4.0 stored them.
    struct ConsumerGroupPartitionMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 4, versions 0, flexible 0+, ConsumerGroupPartitionMetadataValue;

    /// The partitions that a consumer group knew, as Kafka 4.0 stored them.
    struct ConsumerGroupPartitionMetadataValue {
        0+ topics: Vec<TopicMetadata>,
    }

    struct TopicMetadata {
        0+ topic_id: Uuid,
        0+ topic_name: Str,
        0+ num_partitions: i32,
        0+ partition_metadata: Vec<PartitionMetadata>,
    }

    struct PartitionMetadata {
        0+ partition: i32,
        0+ racks: Vec<Str>,
    }
}

record! {
    id 5, versions 0, flexible none, ConsumerGroupMemberMetadataKey;

    /// Names a member of a consumer group.
    struct ConsumerGroupMemberMetadataKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 5, versions 0, flexible 0+, ConsumerGroupMemberMetadataValue;

    /// What a member of a consumer group said of itself.
    struct ConsumerGroupMemberMetadataValue {
        0+ instance_id: Option<Str>,
        0+ rack_id: Option<Str>,
        0+ client_id: Str,
        0+ client_host: Str,
        0+ subscribed_topic_names: Vec<Str>,
        0+ subscribed_topic_regex: Option<Str>,
        0+ rebalance_timeout_ms: i32 = -1,
        0+ server_assignor: Option<Str>,
    } tagged {
        0 => 0+ classic_member_metadata: TaggedOption<ClassicMemberMetadata>,
    }

    struct ClassicMemberMetadata {
        0+ session_timeout_ms: i32,
        0+ supported_protocols: Vec<ClassicProtocol>,
    }

    struct ClassicProtocol {
        0+ name: Str,
        0+ metadata: Bytes,
    }
}

record! {
    id 6, versions 0, flexible none, ConsumerGroupTargetAssignmentMetadataKey;

    /// Names the target assignment of a consumer group.
    struct ConsumerGroupTargetAssignmentMetadataKey {
        0+ group_id: Str,
    }
}

record! {
    id 6, versions 0, flexible 0+, ConsumerGroupTargetAssignmentMetadataValue;

    /// The epoch that a consumer group's target assignment was computed for.
    struct ConsumerGroupTargetAssignmentMetadataValue {
        0+ assignment_epoch: i32,
    } tagged {
        0 => 0+ assignment_timestamp: i64,
    }
}

record! {
    id 7, versions 0, flexible none, ConsumerGroupTargetAssignmentMemberKey;

    /// Names one member's part of a target assignment.
    struct ConsumerGroupTargetAssignmentMemberKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 7, versions 0, flexible 0+, ConsumerGroupTargetAssignmentMemberValue;

    /// What a member of a consumer group is to read.
    struct ConsumerGroupTargetAssignmentMemberValue {
        0+ topic_partitions: Vec<TopicPartition>,
    }

    struct TopicPartition {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    }
}

record! {
    id 8, versions 0, flexible none, ConsumerGroupCurrentMemberAssignmentKey;

    /// Names what a member of a consumer group reads now.
    struct ConsumerGroupCurrentMemberAssignmentKey {
        0+ group_id: Str,
        0+ member_id: Str,
    }
}

record! {
    id 8, versions 0, flexible 0+, ConsumerGroupCurrentMemberAssignmentValue;

    /// What a member of a consumer group reads now, and what it must give up.
    struct ConsumerGroupCurrentMemberAssignmentValue {
        0+ member_epoch: i32,
        0+ previous_member_epoch: i32,
        0+ state: i8,
        0+ assigned_partitions: Vec<TopicPartitions>,
        0+ partitions_pending_revocation: Vec<TopicPartitions>,
    }

    struct TopicPartitions {
        0+ topic_id: Uuid,
        0+ partitions: Vec<i32>,
    } tagged {
        0 => 0+ assignment_epochs: Option<Vec<i32>> = Some(Vec::new()),
    }
}

record! {
    id 16, versions 0, flexible none, ConsumerGroupRegularExpressionKey;

    /// Names a subscription pattern of a consumer group.
    struct ConsumerGroupRegularExpressionKey {
        0+ group_id: Str,
        0+ regular_expression: Str,
    }
}

record! {
    id 16, versions 0, flexible 0+, ConsumerGroupRegularExpressionValue;

    /// The topics that a subscription pattern matched.
    struct ConsumerGroupRegularExpressionValue {
        0+ topics: Vec<Str>,
        0+ version: i64,
        0+ timestamp: i64,
    }
}
