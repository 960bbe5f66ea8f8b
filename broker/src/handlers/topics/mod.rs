//! Topics and where their partitions live.

mod alter_partition_reassignments;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_topic_partitions;
mod elect_leaders;
mod list_partition_reassignments;

pub use alter_partition_reassignments::alter_partition_reassignments;
pub use create_partitions::create_partitions;
pub use create_topics::create_topics;
pub use delete_topics::delete_topics;
pub use describe_topic_partitions::describe_topic_partitions;
pub use elect_leaders::elect_leaders;
pub use list_partition_reassignments::list_partition_reassignments;
