//! Groups of consumers: who is a member, who reads what, how far they have read.
//!
//! [`Groups`] is the state of one shard of `__consumer_offsets`. Members, waiting joins and
//! sessions live in memory; what a group agreed on and the offsets that it committed are records,
//! byte for byte Kafka's. After a restart a group goes on in the generation that was written last.
//! [`GroupCoordinator`] finds the shard of a group and asks it.

pub mod assignor;
#[cfg(test)]
mod bench;
mod catalog;
mod classic;
mod consumer;
mod ends;
mod heartbeat;
mod kind;
mod limits;
mod machine;
mod offset;
pub mod regex;
mod request;
mod service;

pub use catalog::Catalog;
pub use consumer::Refused;
pub use ends::Seen;
pub use limits::{ConsumerLimits, Limits};
pub use machine::{Groups, Subject};
pub use request::{Client, Described, InTransaction, Joiner, Reply, Request};
pub use service::{GroupCoordinator, TOPIC};
