//! `milena consume`: records become lines of stdout.

use std::{
    io::{self, BufWriter, Write},
    str::FromStr,
    time::Duration,
};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Target, output};
use crate::client::{Consumed, Consumer, Start};

/// Print the records of a topic, to its end or for ever
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  milena consume orders\n  milena consume orders --partition 0 --offset -10 --keys --follow\n  milena consume orders --offset @1700000000000 --json"
)]
pub(super) struct Consume {
    topic: String,
    /// Only this partition; may be repeated
    #[arg(short, long = "partition", value_name = "N")]
    partitions: Vec<i32>,
    /// Where to begin: earliest, latest, an offset, -N for N records before the end, or @MS for a time
    #[arg(short, long, default_value = "earliest", allow_hyphen_values = true)]
    offset: StartArg,
    /// Stop after this many records
    #[arg(short = 'n', long, value_name = "N")]
    max_records: Option<u64>,
    /// Do not stop at the end; wait for more
    #[arg(short, long)]
    follow: bool,
    /// Print the key and a tab before each value
    #[arg(short, long, conflicts_with = "json")]
    keys: bool,
    /// Print partition, offset and timestamp, with tabs, before each record
    #[arg(long, conflicts_with = "json")]
    positions: bool,
    /// Print a JSON object for each record
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StartArg(Start);

impl FromStr for StartArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not earliest, latest, an offset, -N or @milliseconds");
        let start = match text {
            "earliest" => Start::Earliest,
            "latest" => Start::Latest,
            _ => {
                if let Some(time) = text.strip_prefix('@') {
                    Start::Timestamp(time.parse().map_err(|_| wrong())?)
                } else if let Some(count) = text.strip_prefix('-') {
                    Start::Last(count.parse().map_err(|_| wrong())?)
                } else {
                    Start::Offset(text.parse().map_err(|_| wrong())?)
                }
            }
        };
        Ok(Self(start))
    }
}

impl Consume {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let cluster = self.target.connect().await?;
        let partitions = (!self.partitions.is_empty()).then_some(self.partitions.as_slice());
        let start = self.offset.0;
        let mut consumer = Consumer::new(cluster, &self.topic, partitions, start).await?;
        let mut out = BufWriter::new(io::stdout());
        let mut left = self.max_records.unwrap_or(u64::MAX);
        while left > 0 && (self.follow || !consumer.at_end()) {
            for record in consumer.poll(POLL_WAIT).await? {
                if left == 0 {
                    break;
                }
                left -= 1;
                self.print(&mut out, &record)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    fn print(&self, out: &mut impl Write, record: &Consumed) -> io::Result<()> {
        if self.json {
            return writeln!(out, "{}", json_of(record));
        }
        if self.positions {
            write!(out, "{}\t{}\t{}\t", record.partition, record.offset, record.timestamp)?;
        }
        if self.keys {
            out.write_all(record.key.as_deref().unwrap_or_default())?;
            out.write_all(b"\t")?;
        }
        out.write_all(record.value.as_deref().unwrap_or_default())?;
        out.write_all(b"\n")
    }
}

fn json_of(record: &Consumed) -> Value {
    let mut object = Map::new();
    object.insert("partition".into(), json!(record.partition));
    object.insert("offset".into(), json!(record.offset));
    object.insert("timestamp".into(), json!(record.timestamp));
    output::insert_record(&mut object, record.key.as_ref(), record.value.as_ref(), &record.headers);
    Value::Object(object)
}

const POLL_WAIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_an_offset_a_count_or_a_time() {
        let start = |text: &str| text.parse::<StartArg>().ok().map(|start| start.0);
        assert_eq!(start("earliest"), Some(Start::Earliest));
        assert_eq!(start("latest"), Some(Start::Latest));
        assert_eq!(start("42"), Some(Start::Offset(42)));
        assert_eq!(start("-5"), Some(Start::Last(5)));
        assert_eq!(start("@1700"), Some(Start::Timestamp(1700)));
        assert_eq!(start("soon"), None);
        assert_eq!(start("-"), None);
    }
}
