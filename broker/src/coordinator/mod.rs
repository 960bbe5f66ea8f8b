//! What this broker decides for others: the groups and transactions that it coordinates.
//!
//! A coordinator is a state machine that is cut into shards, one for each partition of an internal
//! topic. The [`runtime`] runs any such machine on a log; [`group`] is the one for groups,
//! [`txn`] the one for transactions.

pub mod group;
pub mod runtime;
pub mod txn;
