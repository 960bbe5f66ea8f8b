//! Groups of consumers: who is a member, who reads what, how far they have read.
//!
//! [`Groups`] is the state of one shard of `__consumer_offsets`. Members, waiting joins and
//! sessions live in memory; what a group agreed on and the offsets that it committed are records,
//! byte for byte Kafka's. After a restart a group goes on in the generation that was written last.
//! [`GroupCoordinator`] finds the shard of a group and asks it.

pub mod assignor;
#[cfg(test)]
mod bench;
mod classic;
mod ends;
mod kind;
mod limits;
mod machine;
mod offset;
pub mod regex;
mod request;
mod service;

pub use ends::Seen;
pub use limits::Limits;
pub use machine::{Groups, Subject};
pub use request::{InTransaction, Joiner, Reply, Request};
pub use service::{GroupCoordinator, TOPIC};
