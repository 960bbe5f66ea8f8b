//! Settings of topics and brokers.

mod alter_configs;
mod describe_configs;
mod incremental_alter_configs;
mod list_config_resources;

pub use alter_configs::alter_configs;
pub use describe_configs::describe_configs;
pub use incremental_alter_configs::incremental_alter_configs;
pub use list_config_resources::list_config_resources;
