//! `milena group describe`: the same table for groups that assign and for those that are assigned.

use clap::Args;
use milena_protocol::{
    messages::groups::{
        consumer_group_describe::{
            Assignment, DescribedGroup as ConsumerGroup, Member as ConsumerMember,
        },
        describe_groups::{DescribedGroup as ClassicGroup, DescribedGroupMember as ClassicMember},
    },
    state::{consumer_protocol::ConsumerProtocolAssignment, decode_value},
};
use serde_json::{Value, json};

use super::{Target, output};

#[derive(Args, Debug)]
pub(in crate::cli) struct Describe {
    group: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Describe {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let group = match cluster.describe_consumer_group(&self.group).await? {
            Some(group) => Group::from(group),
            None => Group::from(cluster.describe_group(&self.group).await?),
        };
        if self.json {
            output::json(&group.json())?
        } else {
            group.print()?
        }
        Ok(())
    }
}

struct Group {
    id: String,
    state: String,
    protocol_type: String,
    protocol: String,
    /// Of a group that the broker assigns.
    epoch: Option<i32>,
    members: Vec<Member>,
}

struct Member {
    id: String,
    instance: Option<String>,
    client: String,
    host: String,
    /// Of a member that the broker assigns.
    epoch: Option<i32>,
    /// `None` if it is in a form that is not a consumer's.
    assigned: Option<Vec<(String, Vec<i32>)>>,
}

impl Group {
    fn print(&self) -> anyhow::Result<()> {
        let Self { id, state, protocol_type, protocol, epoch, members } = self;
        let epoch = epoch.map(|epoch| format!("  epoch {epoch}")).unwrap_or_default();
        let count = members.len();
        output::line(&format!(
            "{id}  state {state}  protocol {protocol_type} {protocol}{epoch}  members {count}"
        ))?;
        let rows: Vec<Vec<String>> = members.iter().map(Member::row).collect();
        if !rows.is_empty() {
            output::table(&["  member", "instance", "client", "host", "assigned"], &rows)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "group": self.id,
            "state": self.state,
            "protocol_type": self.protocol_type,
            "protocol": self.protocol,
            "epoch": self.epoch,
            "members": self.members.iter().map(Member::json).collect::<Vec<_>>(),
        })
    }
}

impl Member {
    fn row(&self) -> Vec<String> {
        vec![
            format!("  {}", self.id),
            self.instance.as_deref().unwrap_or("-").to_owned(),
            self.client.clone(),
            self.host.clone(),
            self.assigned.as_deref().map_or("?".to_owned(), in_words),
        ]
    }

    fn json(&self) -> Value {
        let one = |(topic, partitions)| json!({ "topic": topic, "partitions": partitions });
        let assigned = self.assigned.iter().flatten().map(|(topic, p)| one((topic, p)));
        json!({
            "member": self.id,
            "instance": self.instance,
            "client": self.client,
            "host": self.host,
            "epoch": self.epoch,
            "assigned": assigned.collect::<Vec<_>>(),
        })
    }
}

impl From<ClassicGroup> for Group {
    fn from(group: ClassicGroup) -> Self {
        Self {
            id: group.group_id.to_string(),
            state: group.group_state.to_string(),
            protocol_type: group.protocol_type.to_string(),
            protocol: group.protocol_data.to_string(),
            epoch: None,
            members: group.members.into_iter().map(Member::from).collect(),
        }
    }
}

impl From<ConsumerGroup> for Group {
    fn from(group: ConsumerGroup) -> Self {
        Self {
            id: group.group_id.to_string(),
            state: group.group_state.to_string(),
            protocol_type: "consumer".to_owned(),
            protocol: group.assignor_name.to_string(),
            epoch: Some(group.group_epoch),
            members: group.members.into_iter().map(Member::from).collect(),
        }
    }
}

impl From<ClassicMember> for Member {
    fn from(member: ClassicMember) -> Self {
        Self {
            assigned: classic_assignment(&member),
            id: member.member_id.to_string(),
            instance: member.group_instance_id.map(|instance| instance.to_string()),
            client: member.client_id.to_string(),
            host: member.client_host.to_string(),
            epoch: None,
        }
    }
}

impl From<ConsumerMember> for Member {
    fn from(member: ConsumerMember) -> Self {
        Self {
            id: member.member_id.to_string(),
            instance: member.instance_id.map(|instance| instance.to_string()),
            client: member.client_id.to_string(),
            host: member.client_host.to_string(),
            epoch: Some(member.member_epoch),
            assigned: Some(topics(member.assignment)),
        }
    }
}

fn classic_assignment(member: &ClassicMember) -> Option<Vec<(String, Vec<i32>)>> {
    if member.member_assignment.is_empty() {
        return Some(Vec::new());
    }
    let assignment: ConsumerProtocolAssignment =
        decode_value(member.member_assignment.clone()).ok()?;
    let topics = assignment.assigned_partitions.into_iter();
    Some(topics.map(|topic| (topic.topic.to_string(), topic.partitions)).collect())
}

fn topics(assignment: Assignment) -> Vec<(String, Vec<i32>)> {
    let topics = assignment.topic_partitions.into_iter();
    topics.map(|topic| (topic.topic_name.to_string(), topic.partitions)).collect()
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
