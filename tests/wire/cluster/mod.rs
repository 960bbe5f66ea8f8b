//! The broker and its cluster.

pub(crate) mod api_versions;
mod describe_cluster;
mod describe_log_dirs;
mod metadata;
mod update_features;
