//! The broker and its cluster.

mod api_versions;

pub use api_versions::api_versions;
