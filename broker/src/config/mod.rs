//! Broker and topic settings under Kafka's names: one table, typed and documented.
//!
//! A value is text until its [`Key`] has read it. [`BrokerConfig`] and [`TopicConfig`] are what the
//! rest of the broker sees: resolved, typed and valid.

mod broker;
mod describe;
mod groups;
mod key;
mod layers;
mod listener;
mod properties;
mod table;
mod topic;
mod transactions;

#[cfg(test)]
mod document;

pub use broker::{BrokerConfig, check_dynamic};
pub use describe::{
    Described, Source, Synonym, describe_broker, describe_cluster, describe_group, describe_topic,
};
pub use groups::{GroupConfig, GroupSettings, Migration};
pub use key::{Key, Kind, Unit, Update, Valid, Value, WrongValue};
pub use layers::{Found, Layers, Settings};
pub use listener::Listener;
pub use properties::{BadLine, parse_assignment, parse_properties};
pub use table::{Table, table};
pub use topic::{Compression, FlushPolicy, TimestampType, TopicConfig};
pub use transactions::TransactionSettings;
