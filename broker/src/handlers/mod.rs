//! One function of a request for each API.
//!
//! A handler is `async fn(&Arc<Services>, &Context, XRequest) -> XResponse`. It is polled once, in
//! the order of arrival on its connection, before the next request there is even decoded: what it
//! does before its first `.await` happens in order. Handlers never call each other.

mod brokers;
pub mod cluster;
pub mod configs;
mod context;
pub mod data;
pub mod error;
pub mod groups;
mod internal_topics;
mod operations;
pub mod quorum;
mod settings;
pub mod topics;
mod turns;
pub mod txn;

pub use context::{Context, Endpoint, ListenerInfo, Peer, Software};
pub use turns::{Turn, Turns};
