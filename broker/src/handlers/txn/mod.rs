//! Transactions, and the producer ids under them.

mod init_producer_id;

pub use init_producer_id::init_producer_id;
