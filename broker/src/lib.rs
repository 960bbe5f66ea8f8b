//! Everything with a socket, a clock or a peer. `wiring` starts it; `cli` is what a person types.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod dispatch;
pub mod handlers;
pub mod metadata;
pub mod metrics;
pub mod network;
pub mod purgatory;
pub mod replica;
pub mod services;
pub mod tasks;
pub mod wiring;
