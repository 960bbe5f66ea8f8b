//! `milena produce`: lines of stdin become records.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use milena_protocol::{Timestamp, compression::Codec, records::Header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use super::{Target, output};
use crate::{
    client::{Outgoing, Producer, ProducerOptions, Sent},
    clock::{Clock, SystemClock},
};

/// Produce each line of standard input as a record
///
/// With --json each line is an object with any of the members key, value, headers (an object),
/// partition and timestamp (milliseconds); a key or value that is null stays null.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  seq 1000 | milena produce numbers\n  printf 'a:1\\nb:2\\n' | milena produce letters --key-separator :\n  echo '{\"key\":\"k\",\"value\":\"v\",\"headers\":{\"h\":\"1\"}}' | milena produce t --json"
)]
pub(super) struct Produce {
    topic: String,
    /// What stands between key and value in a line; without it lines are values
    #[arg(short, long, value_name = "TEXT", conflicts_with = "json")]
    key_separator: Option<String>,
    /// A header for every record, name=value; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<HeaderArg>,
    /// Send all records to this partition
    #[arg(short, long)]
    partition: Option<i32>,
    /// Compress batches
    #[arg(short = 'z', long, value_enum, default_value_t = CodecArg::None)]
    codec: CodecArg,
    /// Acknowledgements to wait for: all, 1 or 0
    #[arg(short, long, default_value = "all", value_parser = acks)]
    acks: i16,
    /// Bytes after which a batch is sent
    #[arg(long, value_name = "BYTES", default_value_t = 512 << 10)]
    batch_bytes: usize,
    /// Milliseconds that an unfinished batch waits for more lines
    #[arg(long, value_name = "MS", default_value_t = 20)]
    linger: u64,
    /// A line (or key, or value) that is this text becomes null
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Read JSON objects, and report each batch as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CodecArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Self {
        match codec {
            CodecArg::None => Self::None,
            CodecArg::Gzip => Self::Gzip,
            CodecArg::Snappy => Self::Snappy,
            CodecArg::Lz4 => Self::Lz4,
            CodecArg::Zstd => Self::Zstd,
        }
    }
}

#[derive(Clone, Debug)]
struct HeaderArg(Header);

impl FromStr for HeaderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not name=value"))?;
        let (key, value) = (copy(name.as_bytes()), Some(copy(value.as_bytes())));
        Ok(Self(Header { key, value }))
    }
}

impl Produce {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let cluster = self.target.connect().await?;
        let options = ProducerOptions {
            topic: self.topic.clone(),
            codec: self.codec.into(),
            acks: self.acks,
            batch_bytes: self.batch_bytes,
            limit: Duration::from_secs(self.target.timeout),
        };
        let mut producer = Producer::new(cluster, options).await?;
        let clock = SystemClock::default();
        let mut input = BufReader::with_capacity(INPUT_BUFFER_BYTES, tokio::io::stdin());
        let mut line = Vec::new();
        let mut unsent = false;
        loop {
            // `read_until` keeps what it has read when the wait is cut short.
            let read = if unsent {
                let lingering = Duration::from_millis(self.linger);
                match timeout(lingering, input.read_until(b'\n', &mut line)).await {
                    Ok(read) => read,
                    Err(_) => {
                        self.report(&producer.flush().await?)?;
                        unsent = false;
                        continue;
                    }
                }
            } else {
                input.read_until(b'\n', &mut line).await
            };
            read.context("read standard input")?;
            if line.is_empty() {
                break;
            }
            let ended = line.pop_if(|last| *last == b'\n').is_some();
            let record = self.record(&line, clock.now())?;
            let sent = producer.push(&record).await?;
            unsent = true;
            self.report(sent.as_slice())?;
            line.clear();
            if !ended {
                break;
            }
        }
        let sent = producer.flush().await?;
        self.report(&sent)
    }

    fn report(&self, sent: &[Sent]) -> anyhow::Result<()> {
        if self.json {
            for batch in sent {
                output::line(
                    &json!({
                        "partition": batch.partition,
                        "offset": batch.base_offset,
                        "count": batch.count,
                    })
                    .to_string(),
                )?;
            }
        }
        Ok(())
    }

    fn record(&self, line: &[u8], now: Timestamp) -> anyhow::Result<Outgoing> {
        let mut record = if self.json {
            record_of_json(line, now)?
        } else {
            let (key, value) = match &self.key_separator {
                Some(separator) => {
                    let (key, value) = split_once(line, separator.as_bytes());
                    (self.field(key), value.map_or(Some(Bytes::new()), |value| self.field(value)))
                }
                None => (None, self.field(line)),
            };
            Outgoing { key, value, timestamp: now, ..Outgoing::default() }
        };
        record.partition = record.partition.or(self.partition);
        record.headers.extend(self.headers.iter().map(|header| header.0.clone()));
        Ok(record)
    }

    fn field(&self, bytes: &[u8]) -> Option<Bytes> {
        let is_null = self.null.as_ref().is_some_and(|null| null.as_bytes() == bytes);
        (!is_null).then(|| copy(bytes))
    }
}

fn record_of_json(line: &[u8], now: Timestamp) -> anyhow::Result<Outgoing> {
    let object: Value = serde_json::from_slice(line).context("read a line as JSON")?;
    let Value::Object(members) = object else { bail!("a line of JSON is not an object") };
    let mut record = Outgoing { timestamp: now, ..Outgoing::default() };
    for (name, member) in members {
        match (name.as_str(), member) {
            ("key", member) => record.key = text_of(member),
            ("value", member) => record.value = text_of(member),
            ("headers", Value::Object(headers)) => {
                record.headers = headers
                    .into_iter()
                    .map(|(name, value)| Header { key: name.into(), value: text_of(value) })
                    .collect();
            }
            ("partition", Value::Number(number)) => {
                let partition = number.as_i64().and_then(|number| i32::try_from(number).ok());
                record.partition = Some(partition.context("partition is not a small integer")?);
            }
            ("timestamp", Value::Number(number)) => {
                record.timestamp = Timestamp(number.as_i64().context("timestamp is no integer")?);
            }
            (name, _) => bail!("member `{name}` of a JSON line is unknown or of the wrong kind"),
        }
    }
    Ok(record)
}

/// A string as it is, null as null, anything else as the JSON that it is.
fn text_of(value: Value) -> Option<Bytes> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    }
}

fn split_once<'a>(line: &'a [u8], separator: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    let at = line.windows(separator.len().max(1)).position(|window| window == separator);
    let parts = at.and_then(|at| Some((line.get(..at)?, line.get(at + separator.len()..)?)));
    parts.map_or((line, None), |(key, value)| (key, Some(value)))
}

pub(super) fn acks(text: &str) -> Result<i16, String> {
    match text {
        "all" | "-1" => Ok(-1),
        "1" => Ok(1),
        "0" => Ok(0),
        _ => Err("all, 1 or 0".to_owned()),
    }
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

const INPUT_BUFFER_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        assert_eq!(split_once(b"k:v:w", b":"), (&b"k"[..], Some(&b"v:w"[..])));
        assert_eq!(split_once(b"novalue", b"=>"), (&b"novalue"[..], None));
    }

    #[test]
    fn a_json_line_keeps_nulls_and_headers() {
        let line = br#"{"key":null,"value":"v","headers":{"h":null},"partition":2,"timestamp":7}"#;
        let record = record_of_json(line, Timestamp(1)).unwrap();
        assert_eq!(record.key, None);
        assert_eq!(record.value, Some(Bytes::from("v")));
        assert_eq!(record.headers, [Header { key: "h".into(), value: None }]);
        assert_eq!((record.partition, record.timestamp), (Some(2), Timestamp(7)));
        assert!(record_of_json(br#"{"kye":1}"#, Timestamp(1)).is_err());
        assert!(record_of_json(b"[]", Timestamp(1)).is_err());
    }
}
