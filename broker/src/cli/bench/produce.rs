//! `milena bench produce`: the same batch again and again.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use clap::Args;
use milena_protocol::{
    ErrorCode,
    compression::Codec,
    messages::{
        ProduceRequest, ProduceResponse,
        data::produce::{PartitionProduceData, TopicProduceData},
    },
    records::BatchBuilder,
};
use tokio::task::JoinSet;

use super::{
    CodecArg, Common, Meter, Report, SharedMeter, acks,
    meter::Count,
    pace::Pace,
    positive, run_all, spread,
    target::{Place, Topic},
};
use crate::{
    client::{ClientError, Prepared, Receiver, Sender},
    clock::{Clock, Rng, SeededRng, SystemClock},
};

/// Produce as fast as the broker takes it, or at a fixed rate
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  milena bench produce --record-bytes 100 --batch-bytes 1000000 --acks 1\n  milena bench produce --batch-bytes 1000 --connections 64 --in-flight 1\n  milena bench produce --rate 50000 --seconds 60 --json"
)]
pub(in crate::cli) struct Produce {
    /// Made if it does not exist
    #[arg(long, default_value = "bench")]
    topic: String,
    /// Partitions of a topic that is made
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// They take the partitions in turn
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Requests of one connection that have no answer yet
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Bytes of each record's value; it compresses to about half
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    /// Bytes of a batch, one per request
    #[arg(long, default_value_t = 1_000_000)]
    batch_bytes: usize,
    /// Acknowledgements to wait for: all or 1
    #[arg(short, long, default_value = "all", value_parser = acks)]
    acks: i16,
    /// Compress batches
    #[arg(short = 'z', long, value_enum, default_value_t = CodecArg::None)]
    codec: CodecArg,
    /// Records a second, all connections together, whatever the broker makes of them
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Produce {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        anyhow::ensure!(self.acks != 0, "without acknowledgements there is nothing to measure");
        let topic = Topic::find_or_make(&self.common.target, &self.topic, self.partitions).await?;
        let clock = SystemClock::new();
        let batch = Load::new(self.record_bytes, self.batch_bytes, self.codec, clock)?;
        let mut ready = Vec::with_capacity(self.connections);
        for at in 0..self.connections {
            let place = topic.place(at)?;
            let connection = topic.connect(place).await?;
            let version = connection.version_of::<ProduceRequest>()?;
            let request = Prepared::new(&batch.request(&topic, place, self.acks), version)?;
            ready.push((request, connection.into_pipeline()));
        }
        let meter = Arc::new(Meter::start(clock, &self.common.length)?);
        let mut running = JoinSet::new();
        let mut first = clock.monotonic();
        for (request, (sender, receiver)) in ready {
            let pace = match self.rate {
                None => Pace::flat_out(clock),
                Some(rate) => {
                    let (every, apart) = spread(rate / batch.records, self.connections);
                    first += apart;
                    Pace::steady(clock, first, every)?
                }
            };
            let in_flight = if self.rate.is_some() { RATED_IN_FLIGHT_MAX } else { self.in_flight };
            let stream = Stream {
                sender,
                receiver,
                request,
                count: batch.count,
                in_flight: in_flight.max(1),
                meter: Arc::clone(&meter),
            };
            running.spawn(stream.run(pace));
        }
        run_all(&meter, running).await?;
        Ok(Report::of_load("produce", &meter))
    }
}

/// The batch that every request carries.
struct Load {
    batch: Bytes,
    count: Count,
    records: f64,
}

impl Load {
    fn new(
        record_bytes: usize,
        batch_bytes: usize,
        codec: CodecArg,
        clock: SystemClock,
    ) -> anyhow::Result<Self> {
        let value = value_of(record_bytes);
        let mut batch = BatchBuilder::new(Codec::from(codec));
        while batch.is_empty()
            || batch.plain_size() + record_bytes + RECORD_OVERHEAD_MAX <= batch_bytes
        {
            batch.append(clock.now(), None, Some(&value), &[])?;
        }
        let records = batch.record_count();
        let bytes = u64::try_from(record_bytes)? * u64::try_from(records)?;
        Ok(Self {
            batch: batch.build()?,
            count: Count { requests: 1, records: u64::try_from(records)?, bytes },
            records: records.into(),
        })
    }

    fn request(&self, topic: &Topic, place: &Place, acks: i16) -> ProduceRequest {
        ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: topic.name.as_str().into(),
                topic_id: topic.id,
                partition_data: vec![PartitionProduceData {
                    index: place.index,
                    records: Some(self.batch.clone().into()),
                }],
            }],
        }
    }
}

/// One connection's requests.
struct Stream {
    sender: Sender,
    receiver: Receiver,
    request: Prepared<ProduceRequest>,
    count: Count,
    in_flight: usize,
    meter: SharedMeter,
}

impl Stream {
    async fn run(mut self, mut pace: Pace) -> anyhow::Result<()> {
        let version = self.request.version();
        let mut intended: VecDeque<Duration> = VecDeque::with_capacity(self.in_flight);
        let meter = Arc::clone(&self.meter);
        let mut time_is_up = pin!(meter.time_is_up());
        let mut over = false;
        while !(over && intended.is_empty()) {
            tokio::select! {
                biased;
                due = pace.due(), if !over && intended.len() < self.in_flight => {
                    intended.push_back(due?);
                    self.sender.send(&mut self.request).await?;
                }
                answer = self.receiver.receive::<ProduceRequest>(version),
                    if !intended.is_empty() =>
                {
                    check(&answer?)?;
                    if let Some(intended) = intended.pop_front() {
                        self.meter.answered(intended, self.count);
                    }
                    over = self.meter.is_over();
                }
                () = &mut time_is_up, if !over => over = true,
            }
        }
        Ok(())
    }
}

/// Fails if any partition was refused.
pub(super) fn check(answer: &ProduceResponse) -> Result<(), ClientError> {
    for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
        if partition.error_code != ErrorCode::None {
            let what = format!("produce to partition {}", partition.index);
            let message = partition.error_message.as_deref();
            ClientError::check(what, partition.error_code, message)?;
        }
    }
    Ok(())
}

/// Letters by chance, each of one out of sixteen: repeatable, and worth compressing.
pub(super) fn value_of(bytes: usize) -> Vec<u8> {
    let mut value = vec![0; bytes];
    SeededRng::new(1).fill(&mut value);
    for byte in &mut value {
        *byte = b'a' + (*byte & 0xf);
    }
    value
}

const TIMEOUT_MS: i32 = 30_000;
/// Attributes, lengths, timestamp and offset of a record.
const RECORD_OVERHEAD_MAX: usize = 24;
/// A load at a fixed rate goes on while answers are late, but not for ever.
const RATED_IN_FLIGHT_MAX: usize = 10_000;
