//! A broker in this process, asked over TCP: what is sent, byte for byte, and what comes back.

mod bad_input;
mod cluster;
mod configs;
mod connection;
mod data;
mod groups;
mod quorum;
mod topics;
mod txn;
