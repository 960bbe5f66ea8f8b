//! Reads partitions of one topic by assignment, from chosen offsets.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, Uuid,
    compression::InflateLimit,
    messages::{
        FetchRequest,
        data::fetch::{FetchPartition, FetchTopic, PartitionData},
    },
    records::{Batch, BatchError, Header},
};

use super::{ClientError, Cluster, OffsetAt};

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
    Offset(i64),
    /// This many records before the end.
    Last(i64),
    /// The first record with this time (milliseconds since 1970) or a later one.
    Timestamp(i64),
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// A reader without a group. Control batches are skipped, as clients do.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    topic: String,
    topic_id: Uuid,
    assigned: BTreeMap<i32, Assigned>,
    /// Leaders whose turn it is next, so that none is starved.
    turns: VecDeque<i32>,
}

#[derive(Debug)]
struct Assigned {
    leader: i32,
    position: i64,
    /// Where the partition ended when reading began.
    end: i64,
}

impl Consumer {
    /// Takes the named partitions (all if `None`) of a topic, each from `start`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn new(
        mut cluster: Cluster,
        topic: &str,
        partitions: Option<&[i32]>,
        start: Start,
    ) -> Result<Self, ClientError> {
        let described = cluster.topic(topic).await?;
        let leaders: BTreeMap<i32, i32> =
            described.partitions.iter().map(|p| (p.partition_index, p.leader_id)).collect();
        let chosen: Vec<i32> =
            partitions.map_or_else(|| leaders.keys().copied().collect(), <[i32]>::to_vec);
        let mut assigned = BTreeMap::new();
        for partition in chosen {
            let Some(&leader) = leaders.get(&partition) else {
                let what = format!("partition {partition} of topic {topic}");
                return Err(ClientError::Missing { what });
            };
            let mut look_up = async |at| cluster.offset_on(leader, topic, partition, at).await;
            let end = look_up(OffsetAt::Latest).await?.unwrap_or_default();
            let position = match start {
                // Nothing would ever be fetched from behind the end, and so nothing refused.
                Start::Offset(offset) if offset > end => {
                    let what = format!("offset {offset} of partition {partition}, end {end}");
                    return Err(ClientError::refused(what, ErrorCode::OffsetOutOfRange));
                }
                Start::Offset(offset) => offset,
                Start::Latest => end,
                Start::Earliest => look_up(OffsetAt::Earliest).await?.unwrap_or_default(),
                Start::Last(count) => {
                    let first = look_up(OffsetAt::Earliest).await?.unwrap_or_default();
                    end.saturating_sub(count).max(first)
                }
                Start::Timestamp(time) => look_up(OffsetAt::Timestamp(time)).await?.unwrap_or(end),
            };
            assigned.insert(partition, Assigned { leader, position, end });
        }
        let mut turns: Vec<i32> = assigned.values().map(|a: &Assigned| a.leader).collect();
        turns.sort_unstable();
        turns.dedup();
        let topic = topic.to_owned();
        let topic_id = described.topic_id;
        Ok(Self { cluster, topic, topic_id, assigned, turns: turns.into() })
    }

    /// Whether everything that was there when reading began has been read.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.assigned.values().all(|assigned| assigned.position >= assigned.end)
    }

    /// Waits at most `wait` for records from one leader's partitions.
    ///
    /// # Errors
    /// [`ClientError`]; an offset out of range among them.
    pub async fn poll(&mut self, wait: Duration) -> Result<Vec<Consumed>, ClientError> {
        let Some(leader) = self.turns.pop_front() else { return Ok(Vec::new()) };
        self.turns.push_back(leader);
        let request = self.fetch_request(leader, wait);
        let answer = self.cluster.broker(leader).await?.call_held(&request, wait).await?;
        ClientError::check("fetch", answer.error_code, None)?;
        let mut consumed = Vec::new();
        for data in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            self.take(data, &mut consumed)?;
        }
        Ok(consumed)
    }

    fn fetch_request(&self, leader: i32, wait: Duration) -> FetchRequest {
        let led = self.assigned.iter().filter(|(_, assigned)| assigned.leader == leader);
        let partitions = led.map(|(&partition, assigned)| FetchPartition {
            partition,
            fetch_offset: assigned.position,
            partition_max_bytes: PARTITION_BYTES_MAX,
            ..FetchPartition::default()
        });
        FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: FETCH_BYTES_MAX,
            topics: vec![FetchTopic {
                topic: self.topic.as_str().into(),
                topic_id: self.topic_id,
                partitions: partitions.collect(),
            }],
            ..FetchRequest::default()
        }
    }

    fn take(&mut self, data: PartitionData, into: &mut Vec<Consumed>) -> Result<(), ClientError> {
        let partition = data.partition_index;
        let what = || format!("partition {partition} of topic {}", self.topic);
        ClientError::check(format!("fetch {}", what()), data.error_code, None)?;
        let Some(mut bytes) = data.records.and_then(|records| records.as_bytes().cloned()) else {
            return Ok(());
        };
        let corrupt = |error: &BatchError| ClientError::Refused {
            what: format!("records of {}", what()),
            code: ErrorCode::CorruptMessage,
            message: Some(error.to_string()),
        };
        let mut position = self.assigned.get(&partition).map_or(0, |assigned| assigned.position);
        while !bytes.is_empty() {
            let batch = match Batch::split(&mut bytes) {
                Ok(batch) => batch,
                // The broker may cut the last batch where the byte limit is reached.
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => return Err(corrupt(&error)),
            };
            let next = batch.last_offset().next().0;
            if !batch.is_control() {
                for record in batch.records(InflateLimit::default()).map_err(|e| corrupt(&e))? {
                    let record = record.map_err(|error| corrupt(&error))?;
                    if record.offset.0 >= position {
                        into.push(Consumed {
                            partition,
                            offset: record.offset.0,
                            timestamp: record.timestamp.0,
                            key: record.key,
                            value: record.value,
                            headers: record.headers,
                        });
                    }
                }
            }
            position = position.max(next);
        }
        if let Some(assigned) = self.assigned.get_mut(&partition) {
            assigned.position = position;
        }
        Ok(())
    }
}

const PARTITION_BYTES_MAX: i32 = 4 << 20;
const FETCH_BYTES_MAX: i32 = 32 << 20;
