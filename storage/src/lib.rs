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
pub mod producers;
pub mod recovery;
pub mod repair;
pub mod retention;
mod segment;
pub mod verify;
