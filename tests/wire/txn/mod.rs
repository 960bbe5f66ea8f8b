//! Transactions, and the producer ids under them.

mod init_producer_id;
