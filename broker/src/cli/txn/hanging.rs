//! `milena txn find-hanging` (KIP-664).

use clap::Args;
use milena_protocol::messages::{ListTransactionsRequest, txn::describe_producers::ProducerState};
use serde_json::{Value, json};

use crate::{
    cli::{Target, output},
    client::{ClientError, Cluster},
    clock::{Clock, SystemClock},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct FindHanging {
    /// Look at this topic only
    #[arg(long)]
    topic: Option<String>,
    /// Look at this partition of the topic only
    #[arg(long, requires = "topic")]
    partition: Option<i32>,
    /// Transactions that wrote something since are not looked at: the broker's
    /// transaction.max.timeout.ms is a good value
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 900_000)]
    idle_for: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// An open transaction of one producer in one partition.
struct Open {
    topic: String,
    partition: i32,
    producer: ProducerState,
}

impl FindHanging {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let now = SystemClock::new().now().0;
        let mut hanging = Vec::new();
        for open in self.open(&mut cluster).await? {
            let idle_ms = now.saturating_sub(open.producer.last_timestamp);
            if idle_ms >= self.idle_for && !is_known(&mut cluster, &open).await? {
                hanging.push((open, idle_ms));
            }
        }
        if self.json {
            let all: Vec<Value> = hanging
                .iter()
                .map(|(open, idle_ms)| {
                    json!({
                        "topic": open.topic,
                        "partition": open.partition,
                        "producer_id": open.producer.producer_id,
                        "producer_epoch": open.producer.producer_epoch,
                        "start_offset": open.producer.current_txn_start_offset,
                        "idle_ms": idle_ms,
                    })
                })
                .collect();
            output::json(&json!(all))?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = hanging
            .iter()
            .map(|(open, idle_ms)| {
                vec![
                    open.topic.clone(),
                    open.partition.to_string(),
                    open.producer.producer_id.to_string(),
                    open.producer.producer_epoch.to_string(),
                    open.producer.current_txn_start_offset.to_string(),
                    idle_ms.to_string(),
                ]
            })
            .collect();
        let header = ["topic", "partition", "producer", "epoch", "start-offset", "idle-ms"];
        output::table(&header, &rows)?;
        Ok(())
    }

    /// Everything that is open in the partitions that are to be looked at.
    async fn open(&self, cluster: &mut Cluster) -> Result<Vec<Open>, ClientError> {
        let wanted = self.topic.as_deref().map(|topic| vec![topic]);
        let topics = cluster.metadata(wanted.as_deref()).await?.topics;
        let mut open = Vec::new();
        for topic in topics {
            let name = topic.name.as_deref().unwrap_or_default().to_owned();
            ClientError::check(format!("topic {name}"), topic.error_code, None)?;
            for partition in topic.partitions.iter().map(|one| one.partition_index) {
                if self.partition.is_some_and(|wanted| wanted != partition) {
                    continue;
                }
                let producers = cluster.producers_of(&name, partition).await?;
                let is_open = |one: &ProducerState| one.current_txn_start_offset >= 0;
                open.extend(producers.into_iter().filter(is_open).map(|producer| Open {
                    topic: name.clone(),
                    partition,
                    producer,
                }));
            }
        }
        Ok(open)
    }
}

/// Whether a coordinator has the partition in a transaction of the producer.
async fn is_known(cluster: &mut Cluster, open: &Open) -> Result<bool, ClientError> {
    let wanted = ListTransactionsRequest {
        producer_id_filters: vec![open.producer.producer_id],
        duration_filter: -1,
        ..ListTransactionsRequest::default()
    };
    for listed in cluster.transactions(&wanted).await? {
        let (_, found) = cluster.describe_transaction(&listed.transactional_id).await?;
        let topic = found.topics.iter().find(|topic| topic.topic.as_str() == open.topic);
        if topic.is_some_and(|topic| topic.partitions.contains(&open.partition)) {
            return Ok(true);
        }
    }
    Ok(false)
}
