//! The table of all APIs: what is served is what stands here.

use milena_protocol::{
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest,
        AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, ApiVersionsRequest,
        ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, CreatePartitionsRequest,
        CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
        DescribeLogDirsRequest, DescribeProducersRequest, DescribeQuorumRequest,
        DescribeTopicPartitionsRequest, DescribeTransactionsRequest, ElectLeadersRequest,
        EndTxnRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest,
        IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
        ListConfigResourcesRequest, ListGroupsRequest, ListOffsetsRequest,
        ListPartitionReassignmentsRequest, ListTransactionsRequest, MetadataRequest,
        OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
        ProduceRequest, SyncGroupRequest, TxnOffsetCommitRequest, UpdateFeaturesRequest,
        WriteTxnMarkersRequest,
    },
    wire::{Message, Request},
};

use super::route::routes;
use crate::handlers;

routes! {
    // librdkafka takes a broker whose Produce begins above 0 for one that cannot compress.
    ProduceRequest => handlers::data::produce, advertised 0..=13;
    FetchRequest => handlers::data::fetch;
    ListOffsetsRequest => handlers::data::list_offsets;
    MetadataRequest => handlers::cluster::metadata;
    OffsetCommitRequest => handlers::groups::offset_commit;
    OffsetFetchRequest => handlers::groups::offset_fetch;
    FindCoordinatorRequest => handlers::groups::find_coordinator;
    JoinGroupRequest => handlers::groups::join_group;
    HeartbeatRequest => handlers::groups::heartbeat;
    LeaveGroupRequest => handlers::groups::leave_group;
    SyncGroupRequest => handlers::groups::sync_group;
    DescribeGroupsRequest => handlers::groups::describe_groups;
    ListGroupsRequest => handlers::groups::list_groups;
    ApiVersionsRequest => handlers::cluster::api_versions;
    CreateTopicsRequest => handlers::topics::create_topics;
    DeleteTopicsRequest => handlers::topics::delete_topics;
    DeleteRecordsRequest => handlers::data::delete_records;
    InitProducerIdRequest => handlers::txn::init_producer_id;
    OffsetForLeaderEpochRequest => handlers::data::offset_for_leader_epoch;
    AddPartitionsToTxnRequest => handlers::txn::add_partitions_to_txn;
    AddOffsetsToTxnRequest => handlers::txn::add_offsets_to_txn;
    TxnOffsetCommitRequest => handlers::txn::txn_offset_commit;
    EndTxnRequest => handlers::txn::end_txn;
    WriteTxnMarkersRequest => handlers::txn::write_txn_markers;
    DescribeConfigsRequest => handlers::configs::describe_configs;
    AlterConfigsRequest => handlers::configs::alter_configs;
    AlterReplicaLogDirsRequest => handlers::cluster::alter_replica_log_dirs;
    DescribeLogDirsRequest => handlers::cluster::describe_log_dirs;
    CreatePartitionsRequest => handlers::topics::create_partitions;
    DeleteGroupsRequest => handlers::groups::delete_groups;
    ElectLeadersRequest => handlers::topics::elect_leaders;
    IncrementalAlterConfigsRequest => handlers::configs::incremental_alter_configs;
    AlterPartitionReassignmentsRequest => handlers::topics::alter_partition_reassignments;
    ListPartitionReassignmentsRequest => handlers::topics::list_partition_reassignments;
    OffsetDeleteRequest => handlers::groups::offset_delete;
    DescribeQuorumRequest => handlers::quorum::describe_quorum;
    UpdateFeaturesRequest => handlers::cluster::update_features;
    DescribeClusterRequest => handlers::cluster::describe_cluster;
    DescribeTransactionsRequest => handlers::txn::describe_transactions;
    ListTransactionsRequest => handlers::txn::list_transactions;
    ListConfigResourcesRequest => handlers::configs::list_config_resources;
    ConsumerGroupHeartbeatRequest => handlers::groups::consumer_group_heartbeat;
    ConsumerGroupDescribeRequest => handlers::groups::consumer_group_describe;
    DescribeProducersRequest => handlers::txn::describe_producers;
    DescribeTopicPartitionsRequest => handlers::topics::describe_topic_partitions;
}
