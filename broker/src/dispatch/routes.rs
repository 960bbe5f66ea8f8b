//! The table of all APIs: what is served is what stands here.

use milena_protocol::{
    messages::{
        AlterConfigsRequest, AlterPartitionReassignmentsRequest, ApiVersionsRequest,
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
        DescribeConfigsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
        ElectLeadersRequest, FindCoordinatorRequest, IncrementalAlterConfigsRequest,
        ListConfigResourcesRequest, ListPartitionReassignmentsRequest, MetadataRequest,
        UpdateFeaturesRequest,
    },
    wire::{Message, Request},
};

use super::route::routes;
use crate::handlers;

routes! {
    ApiVersionsRequest => handlers::cluster::api_versions;
    MetadataRequest => handlers::cluster::metadata;
    DescribeClusterRequest => handlers::cluster::describe_cluster;
    UpdateFeaturesRequest => handlers::cluster::update_features;
    CreateTopicsRequest => handlers::topics::create_topics;
    DeleteTopicsRequest => handlers::topics::delete_topics;
    CreatePartitionsRequest => handlers::topics::create_partitions;
    DescribeTopicPartitionsRequest => handlers::topics::describe_topic_partitions;
    ElectLeadersRequest => handlers::topics::elect_leaders;
    AlterPartitionReassignmentsRequest => handlers::topics::alter_partition_reassignments;
    ListPartitionReassignmentsRequest => handlers::topics::list_partition_reassignments;
    DescribeConfigsRequest => handlers::configs::describe_configs;
    AlterConfigsRequest => handlers::configs::alter_configs;
    IncrementalAlterConfigsRequest => handlers::configs::incremental_alter_configs;
    ListConfigResourcesRequest => handlers::configs::list_config_resources;
    DescribeQuorumRequest => handlers::quorum::describe_quorum;
    FindCoordinatorRequest => handlers::groups::find_coordinator;
}
