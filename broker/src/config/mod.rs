//! Broker and topic settings under Kafka's names: one table, typed and documented.
