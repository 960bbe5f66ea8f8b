//! Kafka's wire protocol: bytes to values and back, with no I/O, no clock and no runtime.
//!
//! [`messages`] holds every API as a table of fields and versions, [`records`] the record batches
//! that travel inside them, [`wire`] the notation and machinery that both are written in.

pub mod compression;
pub mod error_code;
pub mod ids;
pub mod messages;
#[cfg(test)]
mod proof;
pub mod records;
pub mod state;
pub mod wire;

pub use error_code::ErrorCode;
pub use ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, Uuid};
