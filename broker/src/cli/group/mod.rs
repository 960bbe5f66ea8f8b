//! `milena group list|describe|lag|reset-offsets|delete`.

mod describe;
mod lag;
mod reset;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::describe::Describe;
use super::{Target, output};

/// Look at consumer groups and what they have committed
#[derive(Debug, Subcommand)]
pub(super) enum Group {
    /// List the groups, their types and states
    List(List),
    /// Show the state of a group, its members and what is assigned to them
    #[command(after_help = "Example:\n  milena group describe billing --json")]
    Describe(Describe),
    /// Show how far a group has read and how much is left
    #[command(after_help = "Example:\n  milena group lag billing")]
    Lag(lag::Lag),
    /// Commit other offsets for a group that has no members
    ResetOffsets(reset::ResetOffsets),
    /// Delete groups that have no members, and what they committed
    Delete(Delete),
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
pub(super) struct Delete {
    #[arg(required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Group {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run().await,
            Self::Describe(command) => command.run().await,
            Self::Lag(command) => command.run().await,
            Self::ResetOffsets(command) => command.run().await,
            Self::Delete(command) => command.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let groups = self.target.connect().await?.groups().await?;
        if self.json {
            let all: Vec<Value> = groups
                .iter()
                .map(|group| {
                    json!({
                        "group": group.group_id.as_str(),
                        "type": group.group_type.as_str(),
                        "protocol_type": group.protocol_type.as_str(),
                        "state": group.group_state.as_str(),
                    })
                })
                .collect();
            output::json(&json!(all))?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = groups
            .iter()
            .map(|group| {
                [&group.group_id, &group.group_type, &group.protocol_type, &group.group_state]
                    .map(ToString::to_string)
                    .to_vec()
            })
            .collect();
        output::table(&["group", "type", "protocol", "state"], &rows)?;
        Ok(())
    }
}

impl Delete {
    async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        for group in &self.groups {
            cluster.delete_group(group).await?;
        }
        Ok(())
    }
}
