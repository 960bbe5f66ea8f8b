//! Changes to the cluster's metadata, decided purely and committed to the metadata log.
