//! What classic consumers tell each other through the broker, which passes it on unread.

use bytes::Bytes;

use crate::wire::{Str, record};

record! {
    versions 0-3, flexible none, ConsumerProtocolSubscription;

    /// What a classic consumer subscribes to and owns; inside JoinGroup.
    struct ConsumerProtocolSubscription {
        0+ topics: Vec<Str>,
        0+ user_data: Option<Bytes>,
        1+ owned_partitions: Vec<TopicPartition>,
        2+ generation_id: i32 = -1,
        3+ rack_id: Option<Str>,
    }

    struct TopicPartition {
        1+ topic: Str,
        1+ partitions: Vec<i32>,
    }
}

record! {
    versions 0-3, flexible none, ConsumerProtocolAssignment;

    /// What a classic consumer is to read; inside SyncGroup.
    struct ConsumerProtocolAssignment {
        0+ assigned_partitions: Vec<AssignedPartition>,
        0+ user_data: Option<Bytes>,
    }

    struct AssignedPartition {
        0+ topic: Str,
        0+ partitions: Vec<i32>,
    }
}
