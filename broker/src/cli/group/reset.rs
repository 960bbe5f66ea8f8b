//! `milena group reset-offsets`.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Target, output},
    client::{ClientError, Cluster, Committed, OffsetAt},
    clock::{Clock, SystemClock},
};

#[derive(Args, Debug)]
#[command(
    group(clap::ArgGroup::new("to").required(true).args([
        "to_earliest", "to_latest", "to_offset", "to_timestamp", "by_duration", "shift_by",
    ])),
    after_help = "\
Examples:
  milena group reset-offsets billing --topic orders --to-earliest --dry-run
  milena group reset-offsets billing --by-duration 3600
  milena group reset-offsets billing --topic orders --partition 3 --shift-by -100"
)]
pub(in crate::cli) struct ResetOffsets {
    group: String,
    /// Only this topic; without it, all that the group has committed
    #[arg(short, long)]
    topic: Option<String>,
    /// Only this partition of the topic; may be repeated
    #[arg(short, long = "partition", value_name = "N", requires = "topic")]
    partitions: Vec<i32>,
    /// To the first record that is there
    #[arg(long)]
    to_earliest: bool,
    /// To the end
    #[arg(long)]
    to_latest: bool,
    /// To this offset
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// To the first record of this time (milliseconds since 1970) or a later one
    #[arg(long, value_name = "MS")]
    to_timestamp: Option<i64>,
    /// To the first record that is no older than this many seconds
    #[arg(long, value_name = "SECONDS")]
    by_duration: Option<i64>,
    /// On, or back if negative, from what is committed
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    shift_by: Option<i64>,
    /// Only show what would be committed
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// One partition's offset, as it is and as it will be.
struct Change {
    from: Option<i64>,
    to: Committed,
}

impl ResetOffsets {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let mut changes = Vec::new();
        for (topic, partition, from) in self.subjects(&mut cluster).await? {
            let offset = self.destination(&mut cluster, &topic, partition, from).await?;
            changes.push(Change { from, to: Committed { topic, partition, offset } });
        }
        if changes.is_empty() {
            bail!("group {} has committed nothing; name a --topic", self.group);
        }
        if !self.dry_run {
            let offsets: Vec<Committed> = changes.iter().map(|change| change.to.clone()).collect();
            cluster.commit(&self.group, &offsets).await?;
        }
        self.report(&changes)
    }

    /// The partitions meant, each with what is committed for it.
    async fn subjects(
        &self,
        cluster: &mut Cluster,
    ) -> Result<Vec<(String, i32, Option<i64>)>, ClientError> {
        let committed = cluster.committed(&self.group).await?;
        let Some(topic) = &self.topic else {
            let all = committed.into_iter();
            return Ok(all.map(|it| (it.topic, it.partition, Some(it.offset))).collect());
        };
        let mut partitions = self.partitions.clone();
        if partitions.is_empty() {
            let described = cluster.topic(topic).await?;
            partitions = described.partitions.iter().map(|it| it.partition_index).collect();
            partitions.sort_unstable();
        }
        let offset_of = |partition: i32| {
            let same = |it: &&Committed| it.topic == *topic && it.partition == partition;
            committed.iter().find(same).map(|it| it.offset)
        };
        Ok(partitions.into_iter().map(|it| (topic.clone(), it, offset_of(it))).collect())
    }

    /// Where a partition's offset goes, kept within what the partition holds.
    async fn destination(
        &self,
        cluster: &mut Cluster,
        topic: &str,
        partition: i32,
        from: Option<i64>,
    ) -> anyhow::Result<i64> {
        let first = cluster.offset_at(topic, partition, OffsetAt::Earliest).await?;
        let end = cluster.offset_at(topic, partition, OffsetAt::Latest).await?;
        let (first, end) = (first.unwrap_or_default(), end.unwrap_or_default());
        let at_time = match (self.to_timestamp, self.by_duration) {
            (Some(time), _) => Some(time),
            (None, Some(seconds)) => {
                Some(SystemClock::default().now().0.saturating_sub(seconds.saturating_mul(1000)))
            }
            (None, None) => None,
        };
        let wanted = if self.to_earliest {
            first
        } else if let Some(offset) = self.to_offset {
            offset
        } else if let Some(time) = at_time {
            let found = cluster.offset_at(topic, partition, OffsetAt::Timestamp(time)).await?;
            found.unwrap_or(end)
        } else if let Some(count) = self.shift_by {
            let Some(from) = from else {
                bail!("nothing is committed for {topic}-{partition} to shift from");
            };
            from.saturating_add(count)
        } else {
            end
        };
        Ok(wanted.clamp(first, end))
    }

    fn report(&self, changes: &[Change]) -> anyhow::Result<()> {
        if self.json {
            let changes: Vec<Value> = changes
                .iter()
                .map(|change| {
                    json!({
                        "topic": change.to.topic,
                        "partition": change.to.partition,
                        "from": change.from,
                        "to": change.to.offset,
                    })
                })
                .collect();
            let all = json!({ "group": self.group, "dry_run": self.dry_run, "changes": changes });
            output::json(&all)?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = changes
            .iter()
            .map(|change| {
                vec![
                    change.to.topic.clone(),
                    change.to.partition.to_string(),
                    change.from.map_or("-".to_owned(), |from| from.to_string()),
                    change.to.offset.to_string(),
                ]
            })
            .collect();
        output::table(&["topic", "partition", "from", "to"], &rows)?;
        if self.dry_run {
            output::line("nothing was changed")?;
        }
        Ok(())
    }
}
