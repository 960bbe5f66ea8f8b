//! Groups of consumers, and who coordinates them.

mod find_coordinator;
