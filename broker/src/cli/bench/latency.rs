//! `milena bench latency`: from the moment a record is meant to be sent to its receipt.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use milena_protocol::{
    Timestamp,
    compression::{Codec, InflateLimit},
    messages::{
        FetchRequest, ProduceRequest,
        data::produce::{PartitionProduceData, TopicProduceData},
    },
    records::{Batch, BatchBuilder},
};
use tokio::task::JoinSet;

use super::{
    Common, Meter, Report, SharedMeter, acks,
    consume::{Reader, fetch_of},
    meter::{Count, nanoseconds},
    pace::Pace,
    positive,
    produce::{check, value_of},
    run_all,
    target::Topic,
};
use crate::{
    client::{Prepared, Receiver, Sender},
    clock::{Clock, SystemClock},
};

/// Measure the time from a producer to a consumer at a fixed rate
///
/// One connection produces, another fetches from the same partition. Each record carries the time
/// at which it was meant to be sent.
#[derive(Args, Debug)]
pub(in crate::cli) struct Latency {
    /// Made if it does not exist
    #[arg(long, default_value = "bench-latency")]
    topic: String,
    /// Records a second
    #[arg(long, default_value_t = 1000.0, value_parser = positive)]
    rate: f64,
    /// Records of one batch; they wait for the last of them, as in a producer that lingers
    #[arg(long, default_value_t = 1)]
    batch_records: u32,
    /// Bytes of each record's value
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    /// Acknowledgements to wait for: all or 1
    #[arg(short, long, default_value = "all", value_parser = acks)]
    acks: i16,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Latency {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        anyhow::ensure!(self.acks != 0, "without acknowledgements there is nothing to measure");
        let topic = Topic::find_or_make(&self.common.target, &self.topic, 1).await?;
        let clock = SystemClock::new();
        let place = topic.place(0)?;

        let connection = topic.connect(place).await?;
        let version = connection.version_of::<FetchRequest>()?;
        let (sender, receiver) = connection.into_pipeline();
        let request = fetch_of(&topic, place.index, FETCH_BYTES);
        let offset = self.end_of(&topic.name).await?;
        let reader = Reader { sender, receiver, version, request, offset };

        let connection = topic.connect(place).await?;
        let version = connection.version_of::<ProduceRequest>()?;
        let (sender, receiver) = connection.into_pipeline();
        let every = Duration::from_secs_f64(1.0 / self.rate);
        let received = Arc::new(Meter::start(clock, &self.common.length)?);
        let acknowledged = Arc::new(Meter::start(clock, &self.common.length)?);
        let writer = Writer {
            sender,
            receiver,
            version,
            value: value_of(self.record_bytes.max(STAMP_BYTES)),
            records: self.batch_records.max(1),
            every,
            request: ProduceRequest {
                acks: self.acks,
                timeout_ms: TIMEOUT_MS,
                topic_data: vec![TopicProduceData {
                    name: topic.name.as_str().into(),
                    topic_id: topic.id,
                    partition_data: vec![PartitionProduceData {
                        index: place.index,
                        records: None,
                    }],
                }],
                ..ProduceRequest::default()
            },
        };
        let batches_every = every * writer.records;
        let pace = Pace::steady(clock, clock.monotonic() + batches_every, batches_every)?;
        let mut running = JoinSet::new();
        let (writing, reading) =
            (write(writer, pace, Arc::clone(&acknowledged)), read(reader, Arc::clone(&received)));
        running.spawn(async {
            tokio::select! {
                ended = writing => ended,
                ended = reading => ended,
            }
        });
        run_all(&received, running).await?;

        let mut report = Report::of_load("latency", &received);
        report.latency("acknowledged", &acknowledged.finish().0.latency);
        Ok(report)
    }

    async fn end_of(&self, topic: &str) -> anyhow::Result<i64> {
        let mut cluster = self.common.target.connect().await?;
        let end = cluster.offset_at(topic, 0, crate::client::OffsetAt::Latest).await?;
        Ok(end.unwrap_or_default())
    }
}

struct Writer {
    sender: Sender,
    receiver: Receiver,
    version: i16,
    value: Vec<u8>,
    /// In each batch.
    records: u32,
    /// From one record to the next.
    every: Duration,
    request: ProduceRequest,
}

async fn write(mut writer: Writer, mut pace: Pace, meter: SharedMeter) -> anyhow::Result<()> {
    let mut sent: VecDeque<Duration> = VecDeque::new();
    let mut time_is_up = pin!(meter.time_is_up());
    loop {
        tokio::select! {
            biased;
            () = &mut time_is_up => return Ok(()),
            due = pace.due() => {
                let last = due?;
                let mut request = writer.batch_until(last, meter.clock.now())?;
                writer.sender.send(&mut request).await?;
                sent.push_back(last);
            }
            answer = writer.receiver.receive::<ProduceRequest>(writer.version),
                if !sent.is_empty() =>
            {
                check(&answer?)?;
                if let Some(intended) = sent.pop_front() {
                    meter.answered(intended, Count { requests: 1, ..Count::default() });
                }
            }
        }
    }
}

impl Writer {
    /// The batch whose last record is meant to be sent at `last`.
    fn batch_until(
        &mut self,
        last: Duration,
        now: Timestamp,
    ) -> anyhow::Result<Prepared<ProduceRequest>> {
        let mut batch = BatchBuilder::new(Codec::None);
        for before in (0..self.records).rev() {
            let intended = last.saturating_sub(self.every * before);
            if let Some(stamp) = self.value.first_chunk_mut::<STAMP_BYTES>() {
                *stamp = nanoseconds(intended).to_be_bytes();
            }
            batch.append(now, None, Some(&self.value), &[])?;
        }
        let partitions = self.request.topic_data.iter_mut().flat_map(|it| &mut it.partition_data);
        let batch = batch.build()?;
        partitions.for_each(|it| it.records = Some(batch.clone().into()));
        Ok(Prepared::new(&self.request, self.version)?)
    }
}

async fn read(mut reader: Reader, meter: SharedMeter) -> anyhow::Result<()> {
    let mut time_is_up = pin!(meter.time_is_up());
    while !meter.is_over() {
        let fetched = tokio::select! {
            biased;
            () = &mut time_is_up => return Ok(()),
            fetched = reader.fetch() => fetched?,
        };
        let mut rest = fetched.batches;
        while let Ok(batch) = Batch::split(&mut rest) {
            for record in batch.records(InflateLimit::default())? {
                let value = record?.value.context("a record without a value")?;
                let stamp = value.first_chunk().context("a record without a time")?;
                let intended = Duration::from_nanos(u64::from_be_bytes(*stamp));
                let bytes = u64::try_from(value.len())?;
                meter.answered(intended, Count { requests: 1, records: 1, bytes });
            }
        }
    }
    Ok(())
}

const STAMP_BYTES: usize = 8;
const TIMEOUT_MS: i32 = 30_000;
const FETCH_BYTES: i32 = 8 << 20;
