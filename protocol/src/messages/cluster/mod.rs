//! What the cluster is: brokers, features, directories.

pub mod alter_partition;
pub mod alter_replica_log_dirs;
pub mod api_versions;
pub mod assign_replicas_to_dirs;
pub mod broker_heartbeat;
pub mod broker_registration;
pub mod controller_registration;
pub mod describe_cluster;
pub mod describe_log_dirs;
pub mod envelope;
pub mod metadata;
pub mod unregister_broker;
pub mod unregister_controller;
pub mod update_features;

pub use alter_partition::{AlterPartitionRequest, AlterPartitionResponse};
pub use alter_replica_log_dirs::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
pub use api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use assign_replicas_to_dirs::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};
pub use broker_heartbeat::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
pub use broker_registration::{BrokerRegistrationRequest, BrokerRegistrationResponse};
pub use controller_registration::{ControllerRegistrationRequest, ControllerRegistrationResponse};
pub use describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
pub use describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
pub use envelope::{EnvelopeRequest, EnvelopeResponse};
pub use metadata::{MetadataRequest, MetadataResponse};
pub use unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
pub use unregister_controller::{UnregisterControllerRequest, UnregisterControllerResponse};
pub use update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
