//! Configurations and quotas.

pub mod alter_client_quotas;
pub mod alter_configs;
pub mod describe_client_quotas;
pub mod describe_configs;
pub mod incremental_alter_configs;
pub mod list_config_resources;

pub use alter_client_quotas::{AlterClientQuotasRequest, AlterClientQuotasResponse};
pub use alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
pub use describe_client_quotas::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
pub use describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
pub use incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
pub use list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
