//! Settings of topics and brokers.

mod alter_configs;
mod describe_configs;
mod incremental_alter_configs;
mod list_config_resources;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
