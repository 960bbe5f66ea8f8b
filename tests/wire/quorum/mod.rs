//! The quorum that keeps the metadata.

mod describe_quorum;
