//! Transactions, and the producer ids under them.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod describe_producers;
mod describe_transactions;
mod end_txn;
mod init_producer_id;
mod list_transactions;
mod txn_offset_commit;
mod write_txn_markers;

use milena_protocol::ErrorCode;

pub use add_offsets_to_txn::add_offsets_to_txn;
pub use add_partitions_to_txn::add_partitions_to_txn;
pub use describe_producers::describe_producers;
pub use describe_transactions::describe_transactions;
pub use end_txn::end_txn;
pub use init_producer_id::init_producer_id;
pub use list_transactions::list_transactions;
pub use txn_offset_commit::txn_offset_commit;
pub use write_txn_markers::write_txn_markers;

use super::Context;

/// The same code, or for a request older than `fenced_from` what clients of its time know instead
/// of PRODUCER_FENCED (KIP-588).
fn known_to(cx: &Context, fenced_from: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced if cx.version < fenced_from => ErrorCode::InvalidProducerEpoch,
        code => code,
    }
}
