//! ListPartitionReassignments v0. Left out: nothing; with one broker no partition is ever moved.

use std::sync::Arc;

use milena_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::{handlers::Context, services::Services};

pub async fn list_partition_reassignments(
    _services: &Arc<Services>,
    _cx: &Context,
    _r: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
