//! Records in and out, and the offsets between them.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod committed;
mod compaction;
mod delete_records;
mod fetch;
mod fetch_session;
mod flush_policy;
mod list_offsets;
mod many_files;
mod offset_for_leader_epoch;
mod produce;
mod retention;
mod session_changes;

use bytes::Bytes;
use milena_protocol::{
    compression::Codec, messages::data::fetch::PartitionData, records::BatchBuilder, wire::Str,
};

pub(crate) use milena_tests::data::*;
