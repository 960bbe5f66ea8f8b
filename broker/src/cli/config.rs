//! `milena config get|set`, and what other commands need of settings.

use std::{collections::BTreeMap, str::FromStr};

use clap::{Args, Subcommand};
use milena_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    configs::{
        describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult},
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
    },
};
use serde_json::{Value, json};

use super::{Target, output};
use crate::client::{ClientError, Cluster};

/// Show and change the settings of topics and brokers
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Show settings: those that differ from the defaults, or all
    #[command(
        after_help = "Examples:\n  milena config get --topic orders\n  milena config get --broker 0 --all --json"
    )]
    Get(Get),
    /// Change settings, or put them back to their defaults
    #[command(
        after_help = "Examples:\n  milena config set --topic orders retention.ms=3600000\n  milena config set --topic orders --delete retention.ms"
    )]
    Set(Set),
}

#[derive(Args, Debug)]
pub(super) struct Get {
    #[command(flatten)]
    resource: ResourceArgs,
    /// Only these keys
    keys: Vec<String>,
    /// Also what was left at its default
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    #[command(flatten)]
    resource: ResourceArgs,
    /// What to change
    #[arg(value_name = "KEY=VALUE", required_unless_present = "deletes")]
    settings: Vec<Setting>,
    /// A key to put back to its default; may be repeated
    #[arg(long = "delete", value_name = "KEY")]
    deletes: Vec<String>,
    /// Only check; change nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct ResourceArgs {
    /// The topic
    #[arg(short, long)]
    topic: Option<String>,
    /// The broker's node id; "default" for the settings of all brokers
    #[arg(long, value_name = "ID")]
    broker: Option<String>,
}

/// `key=value` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(format!("`{text}` is not key=value")),
        }
    }
}

/// What settings belong to.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    kind: i8,
    name: String,
}

impl Resource {
    pub(super) fn topic(name: &str) -> Self {
        Self { kind: RESOURCE_TOPIC, name: name.to_owned() }
    }

    fn broker(id: &str) -> Self {
        let name = if id == "default" { "" } else { id };
        Self { kind: RESOURCE_BROKER, name: name.to_owned() }
    }
}

impl ResourceArgs {
    fn resource(&self) -> Resource {
        match (&self.topic, &self.broker) {
            (Some(topic), _) => Resource::topic(topic),
            (None, broker) => Resource::broker(broker.as_deref().unwrap_or("default")),
        }
    }
}

impl Config {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Get(command) => command.run().await,
            Self::Set(command) => command.run().await,
        }
    }
}

impl Get {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let mut settings = describe(&mut cluster, &self.resource.resource(), &self.keys).await?;
        if !self.all && self.keys.is_empty() {
            settings.retain(|setting| !is_default(setting));
        }
        settings.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        if self.json {
            let all: Vec<Value> = settings.iter().map(setting_json).collect();
            output::json(&json!(all))?;
        } else {
            for setting in settings {
                let value = setting.value.as_deref().unwrap_or("(hidden)");
                output::line(&format!("{}={value}", setting.name.as_str()))?;
            }
        }
        Ok(())
    }
}

impl Set {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let resource = self.resource.resource();
        alter(&mut cluster, &resource, &self.settings, &self.deletes, self.validate_only).await?;
        Ok(())
    }
}

/// The settings of a resource that somebody changed.
pub(super) async fn changed_settings(
    cluster: &mut Cluster,
    resource: &Resource,
) -> Result<BTreeMap<String, String>, ClientError> {
    let settings = describe(cluster, resource, &[]).await?;
    Ok(settings
        .into_iter()
        .filter(|setting| setting.config_source == SOURCE_TOPIC)
        .map(|setting| {
            let value = setting.value.as_deref().unwrap_or_default().to_owned();
            (setting.name.as_str().to_owned(), value)
        })
        .collect())
}

pub(super) async fn alter(
    cluster: &mut Cluster,
    resource: &Resource,
    settings: &[Setting],
    deletes: &[String],
    validate_only: bool,
) -> Result<(), ClientError> {
    let set = |setting: &Setting| AlterableConfig {
        name: setting.key.as_str().into(),
        config_operation: OPERATION_SET,
        value: Some(setting.value.as_str().into()),
    };
    let delete = |key: &String| AlterableConfig {
        name: key.as_str().into(),
        config_operation: OPERATION_DELETE,
        value: None,
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: resource.kind,
            resource_name: resource.name.as_str().into(),
            configs: settings.iter().map(set).chain(deletes.iter().map(delete)).collect(),
        }],
        validate_only,
    };
    let answer = cluster.call_controller(&request).await?;
    for result in answer.responses {
        let what = format!("change settings of {}", result.resource_name.as_str());
        ClientError::check(what, result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

async fn describe(
    cluster: &mut Cluster,
    resource: &Resource,
    keys: &[String],
) -> Result<Vec<DescribeConfigsResourceResult>, ClientError> {
    let keys: Vec<_> = keys.iter().map(|key| key.as_str().into()).collect();
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: resource.kind,
            resource_name: resource.name.as_str().into(),
            configuration_keys: (!keys.is_empty()).then_some(keys),
        }],
        include_documentation: true,
        ..DescribeConfigsRequest::default()
    };
    // A broker answers for its own settings only.
    let answer = match resource.name.parse::<i32>() {
        Ok(node) if resource.kind == RESOURCE_BROKER => {
            cluster.broker(node).await?.call(&request).await?
        }
        _ => cluster.call(&request).await?,
    };
    let mut settings = Vec::new();
    for result in answer.results {
        let what = format!("settings of {}", result.resource_name.as_str());
        ClientError::check(what, result.error_code, result.error_message.as_deref())?;
        settings.extend(result.configs);
    }
    Ok(settings)
}

fn setting_json(setting: &DescribeConfigsResourceResult) -> Value {
    json!({
        "name": setting.name.as_str(),
        "value": setting.value.as_deref(),
        "default": is_default(setting),
        "read_only": setting.read_only,
        "documentation": setting.documentation.as_deref(),
    })
}

fn is_default(setting: &DescribeConfigsResourceResult) -> bool {
    setting.config_source == SOURCE_DEFAULT
}

// Numbers of the protocol: resource types, config sources, and operations (KIP-133, KIP-226, KIP-339).
const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_DEFAULT: i8 = 5;
const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;
