//! The quorum that keeps the metadata.

mod describe_quorum;

pub use describe_quorum::describe_quorum;
