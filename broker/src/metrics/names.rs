//! Every metric that the broker has. No other file spells one.

/// A metric's name, as a monitoring system sees it, and what it means.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub name: &'static str,
    /// The name of its one label; empty if it has none.
    pub label: &'static str,
    pub help: &'static str,
}

const fn plain(name: &'static str, help: &'static str) -> Name {
    Name { name, label: "", help }
}

const fn labelled(name: &'static str, label: &'static str, help: &'static str) -> Name {
    Name { name, label, help }
}

pub static CONNECTIONS: Name = plain("milena_connections", "Open client connections.");
pub static CONNECTIONS_ACCEPTED: Name =
    plain("milena_connections_accepted_total", "Connections taken from a listener.");
pub static CONNECTIONS_REFUSED: Name = labelled(
    "milena_connections_refused_total",
    "limit",
    "Connections closed at once because a limit was reached.",
);
pub static CONNECTIONS_CLOSED: Name = labelled(
    "milena_connections_closed_total",
    "reason",
    "Connections that the broker closed, by reason.",
);
pub static BYTES_RECEIVED: Name = plain("milena_bytes_received_total", "Bytes from clients.");
pub static BYTES_SENT: Name = plain("milena_bytes_sent_total", "Bytes to clients.");
pub static REQUESTS: Name = labelled("milena_requests_total", "api", "Requests taken, by API.");
pub static REQUEST_BYTES_HELD: Name = plain(
    "milena_request_bytes_held",
    "Bytes of requests in memory: arriving, or being handled. Small ones are not counted.",
);
pub static UNSYNCED_BYTES: Name = labelled(
    "milena_acknowledged_unsynced_bytes",
    "topic",
    "Bytes that clients were told are written but that a crash may take; 0 with acks=all under \
     flush.policy=ack.",
);
pub static UNSYNCED_MS: Name = labelled(
    "milena_acknowledged_unsynced_ms",
    "topic",
    "How long the oldest of those bytes have been waiting to be synced.",
);
pub static PRODUCER_IDS: Name = plain(
    "milena_producer_ids",
    "Idempotent and transactional producers that partitions remember, counted in each.",
);
pub static PARTITION_OPEN_TRANSACTIONS: Name = plain(
    "milena_partition_open_transactions",
    "Transactions that have records in a partition and are not decided, counted in each.",
);
pub static LAST_STABLE_OFFSET_AGE: Name = plain(
    "milena_last_stable_offset_age_ms",
    "Age of the oldest transaction that holds back readers of committed records.",
);
pub static LAST_STABLE_OFFSET_LAG: Name = plain(
    "milena_last_stable_offset_lag",
    "Offsets that open transactions hide from readers of committed records.",
);
pub static COMPACTIONS: Name = plain("milena_compactions_total", "Passes of log compaction.");
pub static COMPACTION_BYTES: Name =
    plain("milena_compaction_bytes_total", "Bytes that log compaction read and wrote.");
pub static UNCLEANABLE_PARTITIONS: Name = plain(
    "milena_uncleanable_partitions",
    "Partitions that are not compacted any more, as something in them cannot be read.",
);
pub static TRANSACTIONS: Name =
    labelled("milena_transactions", "state", "Transactional ids that this broker coordinates.");
pub static TRANSACTION_MARKERS_WAITING: Name = plain(
    "milena_transaction_markers_waiting",
    "Ends of transactions that are decided and not yet written to their partitions.",
);
