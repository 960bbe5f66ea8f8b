//! Groups of consumers, and who coordinates them.

mod find_coordinator;

pub use find_coordinator::find_coordinator;
