//! `milena topic create|list|describe|delete|alter`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use milena_protocol::{
    ErrorCode,
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
        cluster::metadata::MetadataResponseTopic,
        topics::{
            create_partitions::CreatePartitionsTopic,
            create_topics::{CreatableTopic, CreatableTopicConfig},
            delete_topics::DeleteTopicState,
        },
    },
};
use serde_json::{Value, json};

use super::{
    Target,
    config::{self, Resource, Setting},
    output,
};
use crate::client::{ClientError, Cluster};

/// Create, list, describe, delete and alter topics
#[derive(Debug, Subcommand)]
pub(super) enum Topic {
    /// Create a topic
    #[command(
        after_help = "Example:\n  milena topic create orders --partitions 6 --config retention.ms=86400000"
    )]
    Create(Create),
    /// List the topics' names
    List(List),
    /// Show partitions, leaders, replicas and settings of topics
    #[command(after_help = "Example:\n  milena topic describe orders --json")]
    Describe(Describe),
    /// Delete topics and all records in them
    Delete(Delete),
    /// Add partitions to a topic, or change its settings
    #[command(
        after_help = "Example:\n  milena topic alter orders --partitions 12 --config retention.bytes=1073741824"
    )]
    Alter(Alter),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    name: String,
    /// Number of partitions; the broker's num.partitions if not given
    #[arg(short, long)]
    partitions: Option<i32>,
    /// Copies of each partition; the broker's default.replication.factor if not given
    #[arg(short, long)]
    replication_factor: Option<i16>,
    /// A setting of the topic, key=value; may be repeated
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    configs: Vec<Setting>,
    /// Succeed if the topic is there already
    #[arg(long)]
    if_not_exists: bool,
    /// Only check; create nothing
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct Describe {
    /// All topics if none is named
    names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct Delete {
    #[arg(required = true)]
    names: Vec<String>,
    /// Succeed if a topic is not there
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args(["partitions", "configs", "deletes"])))]
pub(super) struct Alter {
    name: String,
    /// The new number of partitions; it can only grow
    #[arg(short, long)]
    partitions: Option<i32>,
    /// A setting to change, key=value; may be repeated
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    configs: Vec<Setting>,
    /// A setting to put back to its default; may be repeated
    #[arg(long = "delete-config", value_name = "KEY")]
    deletes: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Topic {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Describe(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Alter(command) => command.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let setting = |setting: &Setting| CreatableTopicConfig {
            name: setting.key.as_str().into(),
            value: Some(setting.value.as_str().into()),
        };
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: self.name.as_str().into(),
                num_partitions: self.partitions.unwrap_or(BROKER_DEFAULT),
                replication_factor: self.replication_factor.unwrap_or(-1),
                configs: self.configs.iter().map(setting).collect(),
                ..CreatableTopic::default()
            }],
            timeout_ms: REQUEST_TIMEOUT_MS,
            validate_only: self.validate_only,
        };
        let answer = cluster.call_controller(&request).await?;
        for topic in answer.topics {
            if self.if_not_exists && topic.error_code == ErrorCode::TopicAlreadyExists {
                continue;
            }
            let what = format!("create topic {}", topic.name.as_str());
            ClientError::check(what, topic.error_code, topic.error_message.as_deref())?;
        }
        Ok(())
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let names: Vec<String> =
            all_topics(&mut cluster).await?.iter().map(|topic| name_of(topic).to_owned()).collect();
        if self.json {
            output::json(&json!(names))?;
        } else {
            for name in names {
                output::line(&name)?;
            }
        }
        Ok(())
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let topics = if self.names.is_empty() {
            all_topics(&mut cluster).await?
        } else {
            let mut topics = Vec::new();
            for name in &self.names {
                topics.push(cluster.topic(name).await?);
            }
            topics
        };
        let mut described = Vec::new();
        for topic in &topics {
            let resource = Resource::topic(name_of(topic));
            let settings = config::changed_settings(&mut cluster, &resource).await?;
            described.push((topic, settings));
        }
        if self.json {
            let all: Vec<Value> = described.iter().map(|(t, s)| topic_json(t, s)).collect();
            output::json(&json!(all))?;
            return Ok(());
        }
        for (topic, settings) in described {
            print_topic(topic, &settings)?;
        }
        Ok(())
    }
}

impl Delete {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let state = |name: &String| DeleteTopicState {
            name: Some(name.as_str().into()),
            ..DeleteTopicState::default()
        };
        let request = DeleteTopicsRequest {
            topics: self.names.iter().map(state).collect(),
            topic_names: self.names.iter().map(|name| name.as_str().into()).collect(),
            timeout_ms: REQUEST_TIMEOUT_MS,
        };
        let answer = cluster.call_controller(&request).await?;
        for topic in answer.responses {
            if self.if_exists && topic.error_code == ErrorCode::UnknownTopicOrPartition {
                continue;
            }
            let name = topic.name.as_deref().unwrap_or("?");
            let what = format!("delete topic {name}");
            ClientError::check(what, topic.error_code, topic.error_message.as_deref())?;
        }
        Ok(())
    }
}

impl Alter {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        if !self.configs.is_empty() || !self.deletes.is_empty() {
            let resource = Resource::topic(&self.name);
            config::alter(&mut cluster, &resource, &self.configs, &self.deletes, false).await?;
        }
        let Some(count) = self.partitions else { return Ok(()) };
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: self.name.as_str().into(),
                count,
                assignments: None,
            }],
            timeout_ms: REQUEST_TIMEOUT_MS,
            validate_only: false,
        };
        let answer = cluster.call_controller(&request).await?;
        for topic in answer.results {
            let what = format!("alter topic {}", topic.name.as_str());
            ClientError::check(what, topic.error_code, topic.error_message.as_deref())?;
        }
        Ok(())
    }
}

async fn all_topics(cluster: &mut Cluster) -> Result<Vec<MetadataResponseTopic>, ClientError> {
    let mut topics = cluster.metadata(None).await?.topics;
    topics.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    Ok(topics)
}

fn name_of(topic: &MetadataResponseTopic) -> &str {
    topic.name.as_deref().unwrap_or_default()
}

fn topic_json(topic: &MetadataResponseTopic, settings: &BTreeMap<String, String>) -> Value {
    let partitions: Vec<Value> = topic
        .partitions
        .iter()
        .map(|partition| {
            json!({
                "partition": partition.partition_index,
                "leader": partition.leader_id,
                "leader_epoch": partition.leader_epoch,
                "replicas": partition.replica_nodes,
                "isr": partition.isr_nodes,
                "offline": partition.offline_replicas,
            })
        })
        .collect();
    json!({
        "name": name_of(topic),
        "id": topic.topic_id.to_string(),
        "internal": topic.is_internal,
        "partitions": partitions,
        "configs": settings,
    })
}

fn print_topic(
    topic: &MetadataResponseTopic,
    settings: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let count = topic.partitions.len();
    output::line(&format!("{}  id {}  partitions {count}", name_of(topic), topic.topic_id))?;
    for (key, value) in settings {
        output::line(&format!("  {key}={value}"))?;
    }
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let rows: Vec<Vec<String>> = partitions
        .iter()
        .map(|partition| {
            vec![
                format!("  {}", partition.partition_index),
                partition.leader_id.to_string(),
                partition.leader_epoch.to_string(),
                numbers(&partition.replica_nodes),
                numbers(&partition.isr_nodes),
            ]
        })
        .collect();
    output::table(&["  partition", "leader", "epoch", "replicas", "isr"], &rows)?;
    Ok(())
}

fn numbers(nodes: &[i32]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

const BROKER_DEFAULT: i32 = -1;
const REQUEST_TIMEOUT_MS: i32 = 30_000;
