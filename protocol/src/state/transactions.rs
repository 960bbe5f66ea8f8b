//! Records of `__transaction_state` (KIP-98): one per transactional id.

use crate::wire::{Str, record};

record! {
    id 0, versions 0, flexible none, TransactionLogKey;

    /// Names a transactional id.
    struct TransactionLogKey {
        0+ transactional_id: Str,
    }
}

record! {
    id 0, versions 0-1, flexible 1+, TransactionLogValue;

    /// The producer, state and partitions of a transaction.
    struct TransactionLogValue {
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        0+ transaction_timeout_ms: i32,
        0+ transaction_status: i8,
        0+ transaction_partitions: Option<Vec<PartitionsSchema>>,
        0+ transaction_last_update_timestamp_ms: i64,
        0+ transaction_start_timestamp_ms: i64,
    } tagged {
        0 => 1+ previous_producer_id: i64 = -1,
        1 => 1+ next_producer_id: i64 = -1,
        2 => 1+ client_transaction_version: i16,
        3 => 1+ next_producer_epoch: i16 = -1,
    }

    struct PartitionsSchema {
        0+ topic: Str,
        0+ partition_ids: Vec<i32>,
    }
}

super::keys! {
    /// What a record of the topic is about.
    TransactionKey {
        Transaction(TransactionLogKey),
    }
}
