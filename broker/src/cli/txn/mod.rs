//! `milena txn list|describe|find-hanging|abort`.

mod hanging;

use anyhow::Context;
use clap::{Args, Subcommand};
use milena_protocol::messages::{
    ListTransactionsRequest, txn::describe_transactions::TransactionState,
};
use serde_json::{Value, json};

use super::{Target, output};

/// Look at transactions, and end those that nobody ends
#[derive(Debug, Subcommand)]
pub(super) enum Txn {
    /// List transactional ids, their producers and states
    #[command(after_help = "Example:\n  milena txn list --state Ongoing --longer-than 60000")]
    List(List),
    /// Show the state of a transactional id, and the partitions in its transaction
    Describe(Describe),
    /// Find transactions that are open in a partition and that no coordinator will end
    FindHanging(hanging::FindHanging),
    /// Abort a transaction in one partition, as `find-hanging` shows it
    #[command(
        after_help = "Example:\n  milena txn abort --topic orders --partition 3 --start-offset 4711"
    )]
    Abort(Abort),
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only those in this state; may be given more than once
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<String>,
    /// Only those of this producer; may be given more than once
    #[arg(long = "producer-id", value_name = "ID")]
    producers: Vec<i64>,
    /// Only those that have been open for longer than this
    #[arg(long, value_name = "MILLISECONDS", default_value_t = ANY_AGE)]
    longer_than: i64,
    /// Only ids that match this regular expression
    #[arg(long, value_name = "REGEX")]
    id_pattern: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct Describe {
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub(super) struct Abort {
    #[arg(long)]
    topic: String,
    #[arg(long)]
    partition: i32,
    /// Where the transaction begins in the partition
    #[arg(long, value_name = "OFFSET")]
    start_offset: i64,
    #[command(flatten)]
    target: Target,
}

impl Txn {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run().await,
            Self::Describe(command) => command.run().await,
            Self::FindHanging(command) => command.run().await,
            Self::Abort(command) => command.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let wanted = ListTransactionsRequest {
            state_filters: self.states.iter().map(|state| state.as_str().into()).collect(),
            producer_id_filters: self.producers,
            duration_filter: self.longer_than,
            transactional_id_pattern: self.id_pattern.as_deref().map(Into::into),
        };
        let listed = self.target.connect().await?.transactions(&wanted).await?;
        if self.json {
            let all: Vec<Value> = listed
                .iter()
                .map(|one| {
                    json!({
                        "id": one.transactional_id.as_str(),
                        "producer_id": one.producer_id,
                        "state": one.transaction_state.as_str(),
                    })
                })
                .collect();
            output::json(&json!(all))?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = listed
            .iter()
            .map(|one| {
                vec![
                    one.transactional_id.to_string(),
                    one.producer_id.to_string(),
                    one.transaction_state.to_string(),
                ]
            })
            .collect();
        output::table(&["id", "producer", "state"], &rows)?;
        Ok(())
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let (coordinator, found) =
            self.target.connect().await?.describe_transaction(&self.id).await?;
        if self.json {
            output::json(&described_json(coordinator, &found))?;
            return Ok(());
        }
        output::line(&format!(
            "{}  state {}  producer {} epoch {}  time-out {} ms  coordinator {coordinator}",
            found.transactional_id,
            found.transaction_state,
            found.producer_id,
            found.producer_epoch,
            found.transaction_timeout_ms,
        ))?;
        if found.transaction_start_time_ms >= 0 {
            output::line(&format!("  began at {}", found.transaction_start_time_ms))?;
        }
        for topic in &found.topics {
            let partitions: Vec<String> = topic.partitions.iter().map(i32::to_string).collect();
            output::line(&format!("  {}:{}", topic.topic, partitions.join(",")))?;
        }
        Ok(())
    }
}

impl Abort {
    async fn run(self) -> anyhow::Result<()> {
        let (topic, partition) = (self.topic.as_str(), self.partition);
        let mut cluster = self.target.connect().await?;
        let producers = cluster.producers_of(topic, partition).await?;
        let begins_there = |offset| offset == self.start_offset && offset >= 0;
        let found = producers.iter().find(|one| begins_there(one.current_txn_start_offset));
        let found = found.with_context(|| {
            format!("no transaction in {topic}-{partition} begins at {}", self.start_offset)
        })?;
        cluster.abort_in(topic, partition, found).await?;
        Ok(())
    }
}

fn described_json(coordinator: i32, found: &TransactionState) -> Value {
    let topics: Vec<Value> = found
        .topics
        .iter()
        .map(|topic| json!({ "topic": topic.topic.as_str(), "partitions": topic.partitions }))
        .collect();
    json!({
        "id": found.transactional_id.as_str(),
        "coordinator": coordinator,
        "state": found.transaction_state.as_str(),
        "producer_id": found.producer_id,
        "producer_epoch": found.producer_epoch,
        "timeout_ms": found.transaction_timeout_ms,
        "start_ms": found.transaction_start_time_ms,
        "topics": topics,
    })
}

const ANY_AGE: i64 = -1;
