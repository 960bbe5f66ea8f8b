//! Transactions: which producer may write under a transactional id, what it has written to, and
//! whether that counts.
//!
//! [`Transactions`] is the state of one shard of `__transaction_state`, in records that are byte
//! for byte Kafka's. It decides; a writer beside it writes the markers that tell each
//! partition. [`TransactionCoordinator`] finds the shard of an id and asks it.

mod census;
mod level;
mod limits;
mod machine;
mod markers;
mod request;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

pub use census::{Census, Counts};
pub use level::Level;
pub use limits::Limits;
pub use machine::{Subject, Transactions};
pub use markers::{Ending, Marker, Markers, NotWritten, Writing};
pub use request::{
    Described, End, Initialize, Initialized, Listed, NO_TIMEOUT, Producer, Reply, Request,
    TopicPartition,
};
pub use service::{FEATURE, Parts, ProducerIds, TOPIC, TransactionCoordinator};
pub use state::State;
