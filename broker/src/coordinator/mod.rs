//! What this broker decides for others: the groups that it coordinates.
//!
//! A coordinator is a state machine that is cut into shards, one for each partition of an internal
//! topic. The [`runtime`] runs any such machine on a log; [`group`] is the one for groups.

pub mod group;
pub mod runtime;
