//! The broker and its cluster.

mod alter_replica_log_dirs;
mod api_versions;
mod describe_cluster;
mod describe_log_dirs;
mod metadata;
mod update_features;

pub use alter_replica_log_dirs::alter_replica_log_dirs;
pub use api_versions::api_versions;
pub use describe_cluster::describe_cluster;
pub use describe_log_dirs::describe_log_dirs;
pub use metadata::metadata;
pub use update_features::update_features;
