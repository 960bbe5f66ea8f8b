//! The partitions that this broker holds.
