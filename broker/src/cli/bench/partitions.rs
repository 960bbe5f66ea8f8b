//! `milena bench partitions`: a fetch session over many partitions of which few are active.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use clap::Args;
use milena_protocol::{
    Uuid,
    compression::Codec,
    messages::{
        FetchRequest, FetchResponse, ProduceRequest,
        data::{
            fetch::{FetchPartition, FetchTopic},
            produce::{PartitionProduceData, TopicProduceData},
        },
    },
    records::{BatchBuilder, BatchHeader},
};

use super::{Common, Meter, Report, meter::Count, produce::check, target::Topic};
use crate::{
    client::{ClientError, Connection, RETRY_AFTER},
    clock::{Clock, SystemClock},
};

/// Make many partitions, and fetch from all of them while few get records
///
/// One fetch session covers all partitions, which takes a broker that knows topics by their ids.
/// Again and again the active ones get a record each, and
/// the session fetches them.
#[derive(Args, Debug)]
pub(in crate::cli) struct Partitions {
    #[arg(long, default_value_t = 10_000)]
    count: i32,
    /// Of these, so many get records
    #[arg(long, default_value_t = 10)]
    active: usize,
    /// Topics are called this with a number behind; made if they do not exist
    #[arg(long, default_value = "bench-partitions")]
    topic: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Partitions {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        let mut topics = Vec::new();
        let mut left = self.count;
        while left > 0 {
            let name = format!("{}-{}", self.topic, topics.len());
            let count = left.min(TOPIC_PARTITIONS);
            topics.push(Topic::find_or_make(&self.common.target, &name, count).await?);
            left -= count;
        }
        let made = (clock.monotonic() - begun).as_secs_f64();
        let first = topics.first().context("at least one partition")?;
        let connection = first.connect(first.place(0)?).await?;
        let batch = {
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(clock.now(), None, Some(b"active"), &[])?;
            batch.build()?
        };
        let mut session = Session { connection, id: 0, epoch: 0, ends: BTreeMap::new() };
        let opening = clock.monotonic();
        while let Err(error) = session.open(&topics).await {
            let refused = error.downcast_ref::<ClientError>();
            let for_now = refused.is_some_and(ClientError::is_retriable);
            if !for_now || clock.monotonic() - opening > LED_WITHIN {
                return Err(error);
            }
            // Partitions that were just made may have no leader yet.
            tokio::time::sleep(RETRY_AFTER).await;
        }
        let opened = (clock.monotonic() - opening).as_secs_f64();

        let active = session.spread_out(self.active);
        let produce = produce_to(&topics, &active, &batch);
        let meter = Meter::start(clock, &self.common.length)?;
        while !meter.is_over() {
            check(&session.connection.call(&produce).await?)?;
            let sent = meter.clock.monotonic();
            let records = session.fetch_news().await?;
            meter.answered(sent, Count { requests: 1, records, bytes: 0 });
        }
        let mut report = Report::of_load("partitions", &meter);
        report.add("partitions", self.count);
        report.add("make_seconds", made);
        report.add("session_open_seconds", opened);
        Ok(report)
    }
}

type Key = (Uuid, i32);

/// A fetch session (KIP-227), and where each of its partitions ends.
struct Session {
    connection: Connection,
    id: i32,
    epoch: i32,
    ends: BTreeMap<Key, i64>,
}

impl Session {
    /// Begins the session, and reads away what is there already.
    async fn open(&mut self, topics: &[Topic]) -> anyhow::Result<()> {
        (self.id, self.epoch) = (0, 0);
        let keys = topics.iter().flat_map(|it| it.partitions().iter().map(|p| (it.id, p.index)));
        self.ends = keys.map(|key| (key, 0)).collect();
        let mut answer = self.ask(self.ends.clone()).await?;
        self.id = answer.session_id;
        anyhow::ensure!(self.id != 0, "the broker opens no session of {}", self.ends.len());
        while let (1.., moved) = self.take(&answer)? {
            answer = self.ask(moved).await?;
        }
        Ok(())
    }

    /// Fetches until there are records and then to their end, and tells how many there were.
    async fn fetch_news(&mut self) -> anyhow::Result<u64> {
        let (mut records, mut moved) = (0, BTreeMap::new());
        loop {
            let answer = self.ask(moved).await?;
            let (more, ends) = self.take(&answer)?;
            if more == 0 && records > 0 {
                return Ok(records);
            }
            records += more;
            moved = ends;
        }
    }

    async fn ask(&mut self, wanted: BTreeMap<Key, i64>) -> anyhow::Result<FetchResponse> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for ((topic_id, partition), fetch_offset) in wanted {
            let partition = FetchPartition {
                partition,
                fetch_offset,
                partition_max_bytes: FETCH_BYTES,
                ..FetchPartition::default()
            };
            match topics.last_mut().filter(|last| last.topic_id == topic_id) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(FetchTopic {
                    topic_id,
                    partitions: vec![partition],
                    ..FetchTopic::default()
                }),
            }
        }
        let request = FetchRequest {
            max_wait_ms: 0,
            max_bytes: FETCH_BYTES,
            session_id: self.id,
            session_epoch: self.epoch,
            topics,
            ..FetchRequest::default()
        };
        let answer = self.connection.call_held(&request, Duration::ZERO).await?;
        ClientError::check("fetch", answer.error_code, None)?;
        self.epoch += 1;
        Ok(answer)
    }

    /// Records in an answer, and the partitions whose ends it moved.
    fn take(&mut self, answer: &FetchResponse) -> anyhow::Result<(u64, BTreeMap<Key, i64>)> {
        let (mut records, mut moved) = (0, BTreeMap::new());
        for topic in &answer.responses {
            for partition in &topic.partitions {
                let what = format!("fetch from partition {}", partition.partition_index);
                ClientError::check(what, partition.error_code, None)?;
                let batches = partition.records.as_ref().and_then(|it| it.as_bytes());
                let mut rest = batches.map(|it| &it[..]).unwrap_or_default();
                while let Ok(header) = BatchHeader::read(rest) {
                    let Some(after) = rest.get(header.size()..) else { break };
                    records += u64::try_from(header.record_count)?;
                    let key = (topic.topic_id, partition.partition_index);
                    moved.insert(key, header.last_offset().next().0);
                    rest = after;
                }
            }
        }
        self.ends.extend(moved.iter().map(|(&key, &end)| (key, end)));
        Ok((records, moved))
    }

    /// So many partitions, evenly apart.
    fn spread_out(&self, count: usize) -> Vec<Key> {
        let step = self.ends.len().div_ceil(count.max(1)).max(1);
        self.ends.keys().copied().step_by(step).collect()
    }
}

fn produce_to(topics: &[Topic], keys: &[Key], batch: &bytes::Bytes) -> ProduceRequest {
    let data = |topic: &Topic| {
        let of_topic = keys.iter().filter(|(id, _)| *id == topic.id);
        TopicProduceData {
            name: topic.name.as_str().into(),
            topic_id: topic.id,
            partition_data: of_topic
                .map(|&(_, index)| PartitionProduceData {
                    index,
                    records: Some(batch.clone().into()),
                })
                .collect(),
        }
    };
    let topic_data = topics.iter().map(data).filter(|it| !it.partition_data.is_empty()).collect();
    ProduceRequest { acks: ALL, timeout_ms: TIMEOUT_MS, topic_data, ..ProduceRequest::default() }
}

/// How long a broker may take to lead what it made.
const LED_WITHIN: Duration = Duration::from_secs(30);
/// Of one topic.
const TOPIC_PARTITIONS: i32 = 1000;
const FETCH_BYTES: i32 = 1 << 20;
const TIMEOUT_MS: i32 = 30_000;
/// Once it is answered, all of it can be fetched.
const ALL: i16 = -1;
