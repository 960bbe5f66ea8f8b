//! `milena group list|describe|lag|reset-offsets|delete`.

mod lag;
mod reset;

use bytes::Bytes;
use clap::{Args, Subcommand};
use milena_protocol::{
    messages::groups::describe_groups::{DescribedGroup, DescribedGroupMember},
    state::{consumer_protocol::ConsumerProtocolAssignment, decode_value},
};
use serde_json::{Value, json};

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
pub(super) struct Describe {
    group: String,
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

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let group = self.target.connect().await?.describe_group(&self.group).await?;
        if self.json {
            output::json(&group_json(&group))?;
            return Ok(());
        }
        output::line(&format!(
            "{}  state {}  protocol {} {}  members {}",
            group.group_id,
            group.group_state,
            group.protocol_type,
            group.protocol_data,
            group.members.len(),
        ))?;
        let rows: Vec<Vec<String>> = group
            .members
            .iter()
            .map(|member| {
                vec![
                    format!("  {}", member.member_id),
                    member.group_instance_id.as_deref().unwrap_or("-").to_owned(),
                    member.client_id.to_string(),
                    member.client_host.to_string(),
                    assigned(member).map_or("?".to_owned(), |assigned| in_words(&assigned)),
                ]
            })
            .collect();
        if !rows.is_empty() {
            output::table(&["  member", "instance", "client", "host", "assigned"], &rows)?;
        }
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

fn group_json(group: &DescribedGroup) -> Value {
    let members: Vec<Value> = group
        .members
        .iter()
        .map(|member| {
            let assigned = assigned(member).unwrap_or_default();
            let assigned: Vec<Value> = assigned
                .iter()
                .map(|(topic, partitions)| json!({ "topic": topic, "partitions": partitions }))
                .collect();
            json!({
                "member": member.member_id.as_str(),
                "instance": member.group_instance_id.as_deref(),
                "client": member.client_id.as_str(),
                "host": member.client_host.as_str(),
                "assigned": assigned,
            })
        })
        .collect();
    json!({
        "group": group.group_id.as_str(),
        "state": group.group_state.as_str(),
        "protocol_type": group.protocol_type.as_str(),
        "protocol": group.protocol_data.as_str(),
        "members": members,
    })
}

/// What a member of a consumer group is to read; `None` if its assignment is in another form.
fn assigned(member: &DescribedGroupMember) -> Option<Vec<(String, Vec<i32>)>> {
    if member.member_assignment.is_empty() {
        return Some(Vec::new());
    }
    let value: Bytes = member.member_assignment.clone();
    let assignment: ConsumerProtocolAssignment = decode_value(value).ok()?;
    let topics = assignment.assigned_partitions.into_iter();
    Some(topics.map(|topic| (topic.topic.to_string(), topic.partitions)).collect())
}

fn in_words(assigned: &[(String, Vec<i32>)]) -> String {
    let one = |(topic, partitions): &(String, Vec<i32>)| {
        let list: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        format!("{topic}:{}", list.join(","))
    };
    if assigned.is_empty() {
        return "-".to_owned();
    }
    assigned.iter().map(one).collect::<Vec<_>>().join(" ")
}
