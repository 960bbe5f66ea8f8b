//! The partitions that this broker holds.

pub mod fetch_session;
