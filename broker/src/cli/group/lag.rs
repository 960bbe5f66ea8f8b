//! `milena group lag`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Target, output},
    client::{ClientError, Cluster, Committed, OffsetAt},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Lag {
    group: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// How far a group has read one partition.
struct Progress {
    committed: Committed,
    end: i64,
}

impl Progress {
    fn lag(&self) -> i64 {
        (self.end - self.committed.offset).max(0)
    }
}

impl Lag {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut cluster = self.target.connect().await?;
        let progress = progress_of(&mut cluster, &self.group).await?;
        let total: i64 = progress.iter().map(Progress::lag).sum();
        if self.json {
            let partitions: Vec<Value> = progress
                .iter()
                .map(|progress| {
                    json!({
                        "topic": progress.committed.topic,
                        "partition": progress.committed.partition,
                        "committed": progress.committed.offset,
                        "end": progress.end,
                        "lag": progress.lag(),
                    })
                })
                .collect();
            let all = json!({ "group": self.group, "lag": total, "partitions": partitions });
            output::json(&all)?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = progress
            .iter()
            .map(|progress| {
                vec![
                    progress.committed.topic.clone(),
                    progress.committed.partition.to_string(),
                    progress.committed.offset.to_string(),
                    progress.end.to_string(),
                    progress.lag().to_string(),
                ]
            })
            .collect();
        output::table(&["topic", "partition", "committed", "end", "lag"], &rows)?;
        output::line(&format!("lag {total}"))?;
        Ok(())
    }
}

async fn progress_of(cluster: &mut Cluster, group: &str) -> Result<Vec<Progress>, ClientError> {
    let mut progress = Vec::new();
    for committed in cluster.committed(group).await? {
        let (topic, partition) = (committed.topic.as_str(), committed.partition);
        let end = cluster.offset_at(topic, partition, OffsetAt::Latest).await?;
        progress.push(Progress { end: end.unwrap_or_default(), committed });
    }
    Ok(progress)
}
