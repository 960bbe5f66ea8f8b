//! The broker and its cluster.

pub(crate) mod api_versions;
mod describe_cluster;
mod metadata;
mod update_features;
