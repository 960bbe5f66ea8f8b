//! The broker and its cluster.

pub(crate) mod api_versions;
