//! Sends records to one topic: gathered into a batch per partition, retried without duplicates.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Timestamp, Uuid,
    compression::Codec,
    messages::{
        InitProducerIdRequest, MetadataRequest, ProduceRequest,
        cluster::metadata::MetadataRequestTopic,
        data::produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Header},
};

use super::{ClientError, Cluster, RETRY_AFTER, partitioner::partition_of};

/// A record on its way.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Chosen by the key, or in turn, if not given.
    pub partition: Option<i32>,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
    pub timestamp: Timestamp,
}

#[derive(Clone, Debug)]
pub struct ProducerOptions {
    pub topic: String,
    pub codec: Codec,
    /// 0, 1, or -1 for all.
    pub acks: i16,
    /// A batch is sent when it has grown to this many bytes.
    pub batch_bytes: usize,
    /// How long one request may take, and how long a batch is retried.
    pub limit: Duration,
}

/// Where a batch ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub partition: i32,
    /// -1 if no acknowledgement was asked for.
    pub base_offset: i64,
    pub count: i32,
}

/// A producer for one topic. With `acks` = all it is idempotent (KIP-98): a batch that is sent
/// again because its answer was lost stands in the log once.
#[derive(Debug)]
pub struct Producer {
    cluster: Cluster,
    options: ProducerOptions,
    identity: Option<(ProducerId, ProducerEpoch)>,
    topic_id: Uuid,
    /// Leader of each partition, by partition.
    leaders: BTreeMap<i32, i32>,
    open: BTreeMap<i32, BatchBuilder>,
    sequences: BTreeMap<i32, i32>,
    /// Where records without key or partition go until its batch is sent.
    sticky: i32,
}

impl Producer {
    /// Finds the topic (a broker that creates topics by itself does so now) and, for an idempotent
    /// producer, takes a producer id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn new(cluster: Cluster, options: ProducerOptions) -> Result<Self, ClientError> {
        let mut producer = Self {
            cluster,
            options,
            identity: None,
            topic_id: Uuid::ZERO,
            leaders: BTreeMap::new(),
            open: BTreeMap::new(),
            sequences: BTreeMap::new(),
            sticky: 0,
        };
        producer.find_topic().await?;
        if producer.options.acks == ACKS_ALL {
            producer.identity = Some(producer.take_identity().await?);
        }
        Ok(producer)
    }

    /// Adds a record, and sends its partition's batch if that is now full.
    ///
    /// # Errors
    /// [`ClientError`]; the records of a batch that could not be sent are lost to the caller.
    pub async fn push(&mut self, record: &Outgoing) -> Result<Option<Sent>, ClientError> {
        let partition = self.partition_for(record)?;
        let codec = self.options.codec;
        let batch = self.open.entry(partition).or_insert_with(|| BatchBuilder::new(codec));
        batch
            .append(
                record.timestamp,
                record.key.as_deref(),
                record.value.as_deref(),
                &record.headers,
            )
            .map_err(|error| ClientError::Unsendable { reason: error.to_string() })?;
        if batch.plain_size() < self.options.batch_bytes {
            return Ok(None);
        }
        self.send(partition).await
    }

    /// Sends all that was gathered.
    ///
    /// # Errors
    /// As [`Producer::push`].
    pub async fn flush(&mut self) -> Result<Vec<Sent>, ClientError> {
        let partitions: Vec<i32> = self.open.keys().copied().collect();
        let mut sent = Vec::new();
        for partition in partitions {
            sent.extend(self.send(partition).await?);
        }
        Ok(sent)
    }

    fn partition_for(&self, record: &Outgoing) -> Result<i32, ClientError> {
        let count = u32::try_from(self.leaders.len()).unwrap_or(u32::MAX);
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => i32::try_from(partition_of(key, count)).unwrap_or(i32::MAX),
            (None, None) => self.sticky,
        };
        if self.leaders.contains_key(&partition) {
            Ok(partition)
        } else {
            let what = format!("partition {partition} of topic {}", self.options.topic);
            Err(ClientError::Missing { what })
        }
    }

    async fn send(&mut self, partition: i32) -> Result<Option<Sent>, ClientError> {
        let Some(mut batch) = self.open.remove(&partition) else { return Ok(None) };
        let count = batch.record_count();
        if let Some((id, epoch)) = self.identity {
            let sequence = self.sequences.entry(partition).or_insert(0);
            batch = batch.producer(id, epoch, *sequence);
            // Sequences wrap from 2^31 - 1 to 0.
            *sequence = sequence.wrapping_add(count) & i32::MAX;
        }
        let records =
            batch.build().map_err(|error| ClientError::Unsendable { reason: error.to_string() })?;
        if partition == self.sticky {
            let next = self.leaders.keys().copied().find(|&other| other > partition);
            self.sticky = next.unwrap_or(0);
        }
        let base_offset = self.deliver(partition, records).await?;
        Ok(Some(Sent { partition, base_offset, count }))
    }

    /// Sends one batch until it is acknowledged, refused for good, or its time is up.
    async fn deliver(&mut self, partition: i32, records: Bytes) -> Result<i64, ClientError> {
        let attempts = self.attempts();
        let mut attempt = 0;
        loop {
            let outcome = self.deliver_once(partition, records.clone()).await;
            attempt += 1;
            match &outcome {
                Err(error) if error.is_retriable() && attempt < attempts => {}
                _ => return outcome,
            }
            tokio::time::sleep(RETRY_AFTER).await;
            self.find_topic().await?;
        }
    }

    async fn deliver_once(&mut self, partition: i32, records: Bytes) -> Result<i64, ClientError> {
        let timeout_ms = i32::try_from(self.options.limit.as_millis()).unwrap_or(i32::MAX);
        let request = ProduceRequest {
            transactional_id: None,
            acks: self.options.acks,
            timeout_ms,
            topic_data: vec![TopicProduceData {
                name: self.options.topic.as_str().into(),
                topic_id: self.topic_id,
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(records.into()),
                }],
            }],
        };
        let what = format!("partition {partition} of topic {}", self.options.topic);
        let Some(&leader) = self.leaders.get(&partition) else {
            return Err(ClientError::Missing { what });
        };
        let connection = self.cluster.broker(leader).await?;
        if self.options.acks == 0 {
            connection.send_unacknowledged(&request).await?;
            return Ok(-1);
        }
        let answer = connection.call_held(&request, self.options.limit).await?;
        let results = answer.responses.into_iter().flat_map(|topic| topic.partition_responses);
        let Some(result) = results.into_iter().find(|result| result.index == partition) else {
            return Err(ClientError::Missing { what: format!("an answer for {what}") });
        };
        ClientError::check(
            format!("produce to {what}"),
            result.error_code,
            result.error_message.as_deref(),
        )?;
        Ok(result.base_offset)
    }

    async fn take_identity(&mut self) -> Result<(ProducerId, ProducerEpoch), ClientError> {
        let request =
            InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        for _ in 0..self.attempts() {
            let answer = self.cluster.call(&request).await?;
            if !answer.error_code.is_retriable() {
                ClientError::check("producer id", answer.error_code, None)?;
                return Ok((ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch)));
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
        Err(ClientError::Missing { what: "a producer id".to_owned() })
    }

    /// How often something is tried within the time that one batch has.
    fn attempts(&self) -> u128 {
        1 + self.options.limit.as_millis() / RETRY_AFTER.as_millis()
    }

    async fn find_topic(&mut self) -> Result<(), ClientError> {
        let name = self.options.topic.clone();
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.as_str().into()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        for _ in 0..self.attempts() {
            // The first answer to a topic that is being created is a retriable error.
            let answer = self.cluster.call(&request).await?;
            let Some(topic) = answer.topics.first() else { break };
            match topic.error_code {
                ErrorCode::None => {
                    self.cluster.metadata(Some(&[])).await?;
                    self.topic_id = topic.topic_id;
                    let led = topic.partitions.iter();
                    self.leaders = led.map(|p| (p.partition_index, p.leader_id)).collect();
                    return Ok(());
                }
                code if code.is_retriable() => tokio::time::sleep(RETRY_AFTER).await,
                code => return Err(ClientError::refused(format!("topic {name}"), code)),
            }
        }
        Err(ClientError::Missing { what: format!("topic {name}") })
    }
}

const ACKS_ALL: i16 = -1;
