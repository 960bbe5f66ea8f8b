//! One directory, many partition logs. Synchronous; the broker decides which thread runs it.

pub mod checkpoint;
pub mod compaction;
pub mod epochs;
pub mod flush;
pub mod fs;
pub mod index;
pub mod log;
pub mod manager;
pub mod meta;
mod planted;
pub mod producers;
#[cfg(test)]
mod proof;
pub mod recovery;
pub mod repair;
pub mod retention;
mod segment;
pub mod verify;
