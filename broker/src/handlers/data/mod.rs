//! Records in and out, and the offsets between them.

mod delete_records;
mod fetch;
mod list_offsets;
mod offset_for_leader_epoch;
mod produce;

pub use delete_records::delete_records;
pub use fetch::fetch;
pub use list_offsets::list_offsets;
pub use offset_for_leader_epoch::offset_for_leader_epoch;
pub use produce::produce;
