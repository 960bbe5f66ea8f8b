//! What this broker decides for others.
//!
//! A coordinator is a state machine that is cut into shards, one for each partition of an internal
//! topic. The [`runtime`] runs any such machine on a log.

pub mod runtime;
