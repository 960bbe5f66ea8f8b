//! `milena bench txn`: batches in transactions, which end one after the other.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    compression::Codec,
    messages::{
        AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProduceRequest,
        data::produce::{PartitionProduceData, TopicProduceData},
        txn::add_partitions_to_txn::AddPartitionsToTxnTopic,
    },
    records::BatchBuilder,
};
use tokio::task::JoinSet;

use super::{
    Common, Meter, Report, SharedMeter,
    meter::Count,
    pace::Pace,
    positive,
    produce::{check, value_of},
    run_all, spread,
    target::{Place, Topic},
};
use crate::{
    client::{ClientError, Connection},
    clock::{Clock, SystemClock},
};

/// Produce in transactions that are committed one after the other
///
/// Each producer has a transactional id of its own and one request in flight. Measured is each
/// batch, and on its own what it takes to end a transaction and to begin the next.
#[derive(Args, Debug)]
pub(in crate::cli) struct Txn {
    /// Made if it does not exist
    #[arg(long, default_value = "bench-txn")]
    topic: String,
    /// Partitions of a topic that is made
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// They take the partitions in turn
    #[arg(long, default_value_t = 1)]
    producers: usize,
    /// Milliseconds after which a transaction is committed
    #[arg(long, value_name = "MS", default_value_t = 100)]
    commit: u64,
    /// Bytes of each record's value
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    /// Bytes of a batch, one per request
    #[arg(long, default_value_t = 16_000)]
    batch_bytes: usize,
    /// Records a second, all producers together
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Txn {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        let topic = Topic::find_or_make(&self.common.target, &self.topic, self.partitions).await?;
        let clock = SystemClock::new();
        let mut ready = Vec::with_capacity(self.producers);
        for at in 0..self.producers {
            ready.push(self.producer(&topic, at, clock).await?);
        }
        let meter = Arc::new(Meter::start(clock, &self.common.length)?);
        let commits = Arc::new(Meter::start(clock, &self.common.length)?);
        let mut running = JoinSet::new();
        let mut first = clock.monotonic();
        for producer in ready {
            let pace = match self.rate {
                None => Pace::flat_out(clock),
                Some(rate) => {
                    let batches = rate / f64::from(producer.records);
                    let (every, apart) = spread(batches, self.producers);
                    first += apart;
                    Pace::steady(clock, first, every)?
                }
            };
            running.spawn(producer.run(pace, Arc::clone(&meter), Arc::clone(&commits)));
        }
        run_all(&meter, running).await?;
        let mut report = Report::of_load("txn", &meter);
        let (commits, seconds) = commits.finish();
        report.add("transactions", commits.measured.requests);
        report.add("transaction_seconds", seconds);
        report.latency("commit", &commits.latency);
        Ok(report)
    }

    async fn producer(
        &self,
        topic: &Topic,
        at: usize,
        clock: SystemClock,
    ) -> anyhow::Result<Producer> {
        let id = format!("bench-txn-{at}");
        let mut cluster = self.common.target.connect().await?;
        let node = cluster.transaction_coordinator_of(&id).await?;
        let address = cluster.address_of(node).context("find the coordinator")?.to_owned();
        let limit = Duration::from_secs(self.common.target.timeout);
        let mut coordinator = Connection::open(&address, limit).await?;
        let request = InitProducerIdRequest {
            transactional_id: Some(id.as_str().into()),
            transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
            ..InitProducerIdRequest::default()
        };
        let given = loop {
            let given = coordinator.call_up_to(&request, INIT_VERSION).await?;
            if !given.error_code.is_retriable() {
                break given;
            }
            tokio::time::sleep(RETRY_AFTER).await;
        };
        ClientError::check(format!("producer id for {id}"), given.error_code, None)?;
        let place = topic.place(at)?.clone();
        let value = value_of(self.record_bytes);
        let records = (self.batch_bytes / self.record_bytes.max(1)).max(1);
        Ok(Producer {
            leader: topic.connect(&place).await?,
            coordinator,
            clock,
            topic: topic.clone(),
            place,
            id,
            producer_id: ProducerId(given.producer_id),
            epoch: ProducerEpoch(given.producer_epoch),
            sequence: 0,
            records: i32::try_from(records)?,
            value,
            commit_every: Duration::from_millis(self.commit),
        })
    }
}

struct Producer {
    leader: Connection,
    coordinator: Connection,
    clock: SystemClock,
    topic: Topic,
    place: Place,
    id: String,
    producer_id: ProducerId,
    epoch: ProducerEpoch,
    sequence: i32,
    /// Of each batch.
    records: i32,
    value: Vec<u8>,
    commit_every: Duration,
}

impl Producer {
    async fn run(
        mut self,
        mut pace: Pace,
        meter: SharedMeter,
        commits: SharedMeter,
    ) -> anyhow::Result<()> {
        let records = u64::try_from(self.records)?;
        let bytes = records * u64::try_from(self.value.len())?;
        self.begin().await?;
        let mut begun = self.clock.monotonic();
        while !meter.is_over() {
            let intended = pace.due().await?;
            let request = self.next_batch()?;
            check(&self.leader.call_up_to(&request, PRODUCE_VERSION).await?)?;
            meter.answered(intended, Count { requests: 1, records, bytes });
            let ending = self.clock.monotonic();
            if ending >= begun + self.commit_every {
                self.commit().await?;
                self.begin().await?;
                commits.answered(ending, Count { requests: 1, ..Count::default() });
                begun = self.clock.monotonic();
            }
        }
        self.commit().await
    }

    /// Adds the partition to a new transaction, once the one before it is through.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.as_str().into(),
            v3_and_below_producer_id: self.producer_id.0,
            v3_and_below_producer_epoch: self.epoch.0,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: self.topic.name.as_str().into(),
                partitions: vec![self.place.index],
            }],
            ..AddPartitionsToTxnRequest::default()
        };
        loop {
            let answer = self.coordinator.call_up_to(&request, ADD_VERSION).await?;
            let topics = answer.results_by_topic_v3_and_below.iter();
            let mut codes =
                topics.flat_map(|it| &it.results_by_partition).map(|it| it.partition_error_code);
            match codes.find(|&code| code != ErrorCode::None) {
                None => return Ok(()),
                Some(code) if code.is_retriable() => tokio::time::sleep(RETRY_AFTER).await,
                Some(code) => ClientError::check(format!("begin with {}", self.id), code, None)?,
            }
        }
    }

    async fn commit(&mut self) -> anyhow::Result<()> {
        let request = EndTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer_id.0,
            producer_epoch: self.epoch.0,
            committed: true,
        };
        let answer = self.coordinator.call_up_to(&request, END_VERSION).await?;
        Ok(ClientError::check(format!("commit for {}", self.id), answer.error_code, None)?)
    }

    fn next_batch(&mut self) -> anyhow::Result<ProduceRequest> {
        let mut batch = BatchBuilder::new(Codec::None)
            .producer(self.producer_id, self.epoch, self.sequence)
            .transactional(true);
        let now = self.clock.now();
        for _ in 0..self.records {
            batch.append(now, None, Some(&self.value), &[])?;
        }
        self.sequence = self.sequence.wrapping_add(self.records) & i32::MAX;
        Ok(ProduceRequest {
            transactional_id: Some(self.id.as_str().into()),
            acks: ALL,
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: self.topic.name.as_str().into(),
                topic_id: self.topic.id,
                partition_data: vec![PartitionProduceData {
                    index: self.place.index,
                    records: Some(batch.build()?.into()),
                }],
            }],
        })
    }
}

// The newest versions in which a client adds partitions itself and keeps its epoch: the same work
// for every broker.
const INIT_VERSION: i16 = 5;
const ADD_VERSION: i16 = 3;
const PRODUCE_VERSION: i16 = 11;
const END_VERSION: i16 = 4;
const TRANSACTION_TIMEOUT_MS: i32 = 60_000;
const TIMEOUT_MS: i32 = 30_000;
const ALL: i16 = -1;
/// While the markers of the transaction before are being written.
const RETRY_AFTER: Duration = Duration::from_millis(2);
