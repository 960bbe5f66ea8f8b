//! `milena bench consume`: fetches from the start, and again when the end is reached.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use clap::Args;
use milena_protocol::{
    ErrorCode,
    messages::{
        FetchRequest,
        data::fetch::{FetchPartition, FetchResponse, FetchTopic},
    },
    records::{BatchError, BatchHeader},
};
use tokio::task::JoinSet;

use super::{Common, Meter, Report, SharedMeter, meter::Count, run_all, target::Topic};
use crate::{
    client::{ClientError, Prepared, Receiver, Sender},
    clock::{Clock, SystemClock},
};

/// Fetch a topic from its start as fast as the broker gives it
///
/// Records are not taken apart: batches are counted by their headers.
#[derive(Args, Debug)]
pub(in crate::cli) struct Consume {
    #[arg(long, default_value = "bench")]
    topic: String,
    /// Each reads one partition whole; they take the partitions in turn
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Bytes that one answer may have
    #[arg(long, default_value_t = 1 << 20)]
    fetch_bytes: i32,
    /// Wait at the end for more instead of beginning again
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Consume {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        let topic = Topic::find_or_make(&self.common.target, &self.topic, 1).await?;
        let clock = SystemClock::new();
        let mut ready = Vec::with_capacity(self.connections);
        for at in 0..self.connections {
            let place = topic.place(at)?;
            let connection = topic.connect(place).await?;
            let version = connection.version_of::<FetchRequest>()?;
            ready.push((place.index, version, connection.into_pipeline()));
        }
        let meter = Arc::new(Meter::start(clock, &self.common.length)?);
        let mut running = JoinSet::new();
        for (partition, version, (sender, receiver)) in ready {
            let reader = Reader {
                sender,
                receiver,
                version,
                request: FetchRequest {
                    // Where reading begins again at the end, there is nothing to wait for.
                    max_wait_ms: if self.follow { WAIT_MS } else { 0 },
                    ..fetch_of(&topic, partition, self.fetch_bytes)
                },
                offset: 0,
            };
            running.spawn(read(reader, self.follow, Arc::clone(&meter)));
        }
        run_all(&meter, running).await?;
        Ok(Report::of_load("consume", &meter))
    }
}

async fn read(mut reader: Reader, follow: bool, meter: SharedMeter) -> anyhow::Result<()> {
    let mut time_is_up = pin!(meter.time_is_up());
    while !meter.is_over() {
        let intended = meter.clock.monotonic();
        let fetched = tokio::select! {
            fetched = reader.fetch() => fetched?,
            () = &mut time_is_up => break,
        };
        if fetched.records == 0 {
            anyhow::ensure!(follow || reader.offset > 0, "the topic is empty");
            if !follow {
                reader.offset = 0;
            }
            continue;
        }
        let Fetched { records, bytes, .. } = fetched;
        meter.answered(intended, Count { requests: 1, records, bytes });
    }
    Ok(())
}

/// Reads one partition, a request at a time.
pub(super) struct Reader {
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) version: i16,
    pub(super) request: FetchRequest,
    pub(super) offset: i64,
}

/// What one answer held.
pub(super) struct Fetched {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) batches: Bytes,
}

impl Reader {
    /// Fetches from where the last fetch ended.
    pub(super) async fn fetch(&mut self) -> anyhow::Result<Fetched> {
        for topic in &mut self.request.topics {
            for partition in &mut topic.partitions {
                partition.fetch_offset = self.offset;
            }
        }
        self.sender.send(&mut Prepared::new(&self.request, self.version)?).await?;
        let answer = self.receiver.receive::<FetchRequest>(self.version).await?;
        self.take(answer)
    }

    fn take(&mut self, answer: FetchResponse) -> anyhow::Result<Fetched> {
        ClientError::check("fetch", answer.error_code, None)?;
        let mut fetched = Fetched { records: 0, bytes: 0, batches: Bytes::new() };
        for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            if partition.error_code != ErrorCode::None {
                let what = format!("fetch from partition {}", partition.partition_index);
                ClientError::check(what, partition.error_code, None)?;
            }
            let Some(records) = partition.records.and_then(|it| it.as_bytes().cloned()) else {
                continue;
            };
            self.walk(&records, &mut fetched)?;
            fetched.batches = records;
        }
        Ok(fetched)
    }

    fn walk(&mut self, records: &[u8], fetched: &mut Fetched) -> anyhow::Result<()> {
        let mut rest = records;
        while !rest.is_empty() {
            let header = match BatchHeader::read(rest) {
                Ok(header) => header,
                // The last batch may be cut where the limit is reached.
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => anyhow::bail!("read a batch at {}: {error}", self.offset),
            };
            let Some(after) = rest.get(header.size()..) else { break };
            fetched.records += u64::try_from(header.record_count).unwrap_or(0);
            fetched.bytes += u64::try_from(header.size()).unwrap_or(0);
            self.offset = header.last_offset().next().0;
            rest = after;
        }
        Ok(())
    }
}

/// A fetch from one partition, outside any session.
pub(super) fn fetch_of(topic: &Topic, partition: i32, max_bytes: i32) -> FetchRequest {
    FetchRequest {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes,
        topics: vec![FetchTopic {
            topic: topic.name.as_str().into(),
            topic_id: topic.id,
            partitions: vec![FetchPartition {
                partition,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            }],
        }],
        ..FetchRequest::default()
    }
}

const WAIT_MS: i32 = 500;
