//! Metadata, key 3.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 3, versions 0-13, flexible 9+, MetadataRequest => MetadataResponse;

    /// Asks for the brokers, and for topics with their partitions and leaders.
    struct MetadataRequest {
        0+   topics: Option<Vec<MetadataRequestTopic>> where null 1+,
        4+   allow_auto_topic_creation: bool = true,
        8-10 include_cluster_authorized_operations: bool,
        8+   include_topic_authorized_operations: bool,
    }

    struct MetadataRequestTopic {
        10+ topic_id: Uuid,
        0+  name: Option<Str> where null 10+,
    }

    /// Brokers, and the state of the topics asked for.
    struct MetadataResponse {
        3+   throttle_time_ms: i32,
        0+   brokers: Vec<MetadataResponseBroker>,
        2+   cluster_id: Option<Str>,
        1+   controller_id: i32 = -1,
        0+   topics: Vec<MetadataResponseTopic>,
        8-10 cluster_authorized_operations: i32 = i32::MIN,
        13+  error_code: ErrorCode,
    }

    struct MetadataResponseBroker {
        0+ node_id: i32,
        0+ host: Str,
        0+ port: i32,
        1+ rack: Option<Str>,
    }

    struct MetadataResponseTopic {
        0+  error_code: ErrorCode,
        0+  name: Option<Str> where null 12+,
        10+ topic_id: Uuid,
        1+  is_internal: bool,
        0+  partitions: Vec<MetadataResponsePartition>,
        8+  topic_authorized_operations: i32 = i32::MIN,
    }

    struct MetadataResponsePartition {
        0+ error_code: ErrorCode,
        0+ partition_index: i32,
        0+ leader_id: i32,
        7+ leader_epoch: i32 = -1,
        0+ replica_nodes: Vec<i32>,
        0+ isr_nodes: Vec<i32>,
        5+ offline_replicas: Vec<i32>,
    }
}
