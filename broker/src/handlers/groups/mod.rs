//! Groups of consumers, and who coordinates them.

mod consumer_group_describe;
mod consumer_group_heartbeat;
mod delete_groups;
mod describe_groups;
mod find_coordinator;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod sync_group;

use milena_protocol::ErrorCode;

pub use consumer_group_describe::consumer_group_describe;
pub use consumer_group_heartbeat::consumer_group_heartbeat;
pub use delete_groups::delete_groups;
pub use describe_groups::describe_groups;
pub use find_coordinator::find_coordinator;
pub use heartbeat::heartbeat;
pub use join_group::join_group;
pub use leave_group::leave_group;
pub use list_groups::list_groups;
pub use offset_commit::offset_commit;
pub use offset_delete::offset_delete;
pub use offset_fetch::offset_fetch;
pub use sync_group::sync_group;

use super::error::Coded;
use crate::{
    coordinator::{group::Reply, runtime::Unavailable},
    services::Services,
};

/// The error where a request got no reply of its own kind.
fn failure(outcome: &Result<Reply, Unavailable>) -> ErrorCode {
    match outcome {
        Ok(_) => ErrorCode::UnknownServerError,
        Err(unavailable) => unavailable.code(),
    }
}

/// Whether the broker and the cluster let groups speak the consumer protocol.
fn consumer_groups_enabled(services: &Services) -> bool {
    let image = services.metadata.image();
    let level = image.features().find(|(name, _)| *name == "group.version");
    services.groups.limits().consumer.enabled && level.is_some_and(|(_, level)| level > 0)
}
