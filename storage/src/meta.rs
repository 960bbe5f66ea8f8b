//! `meta.properties` and `partition.metadata`: whose directory this is.
