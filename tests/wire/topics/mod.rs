//! Topics and where their partitions live.

mod alter_partition_reassignments;
mod create_partitions;
pub(crate) mod create_topics;
mod delete_topics;
mod describe_topic_partitions;
mod elect_leaders;
mod list_partition_reassignments;
