//! The broker and its cluster.

mod alter_replica_log_dirs;
pub(crate) mod api_versions;
mod describe_cluster;
mod describe_log_dirs;
mod metadata;
mod update_features;
