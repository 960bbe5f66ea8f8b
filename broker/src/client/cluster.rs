//! All brokers of a cluster, found from the few that a user names.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use milena_protocol::{
    ErrorCode,
    messages::{
        ListOffsetsRequest, MetadataRequest, MetadataResponse,
        cluster::metadata::{MetadataRequestTopic, MetadataResponseTopic},
        data::list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
    },
    wire::Request,
};

use super::{ClientError, Connection};

/// A place in a partition that ListOffsets finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAt {
    Earliest,
    Latest,
    /// The first record with this time (milliseconds since 1970) or a later one.
    Timestamp(i64),
}

/// Connections to a cluster's brokers, opened when they are first needed.
#[derive(Debug)]
pub struct Cluster {
    any: Connection,
    by_node: BTreeMap<i32, Connection>,
    addresses: BTreeMap<i32, String>,
    controller: i32,
    limit: Duration,
}

impl Cluster {
    /// Tries the addresses (`host:port`, separated by commas) in turn.
    ///
    /// # Errors
    /// The last address's error if none answers.
    pub async fn connect(bootstrap: &str, limit: Duration) -> Result<Self, ClientError> {
        let mut failure = ClientError::Missing { what: "a broker's address".to_owned() };
        for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            match Connection::open(address, limit).await {
                Ok(any) => {
                    let mut cluster = Self {
                        any,
                        by_node: BTreeMap::new(),
                        addresses: BTreeMap::new(),
                        controller: NO_NODE,
                        limit,
                    };
                    cluster.metadata(Some(&[])).await?;
                    return Ok(cluster);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Calls whichever broker was reached first.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        self.any.call(request).await
    }

    /// Calls the broker that takes changes of topics and settings.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_controller<R: Request>(
        &mut self,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        match self.controller {
            NO_NODE => self.any.call(request).await,
            node => self.broker(node).await?.call(request).await,
        }
    }

    /// The connection to one broker.
    ///
    /// # Errors
    /// [`ClientError::Missing`] for an unknown node, or as [`Connection::open`].
    pub async fn broker(&mut self, node: i32) -> Result<&mut Connection, ClientError> {
        let limit = self.limit;
        match self.by_node.entry(node) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(vacant) => {
                let address = self
                    .addresses
                    .get(&node)
                    .ok_or_else(|| ClientError::Missing { what: format!("broker {node}") })?;
                Ok(vacant.insert(Connection::open(address, limit).await?))
            }
        }
    }

    /// Asks for the named topics (all if `None`) and learns the brokers' addresses.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn metadata(
        &mut self,
        topics: Option<&[&str]>,
    ) -> Result<MetadataResponse, ClientError> {
        let request = MetadataRequest {
            topics: topics.map(|names| {
                let named = |name: &&str| MetadataRequestTopic {
                    name: Some((*name).into()),
                    ..MetadataRequestTopic::default()
                };
                names.iter().map(named).collect()
            }),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.any.call(&request).await?;
        self.controller = answer.controller_id;
        self.addresses = answer
            .brokers
            .iter()
            .map(|broker| (broker.node_id, format!("{}:{}", broker.host.as_str(), broker.port)))
            .collect();
        Ok(answer)
    }

    /// One topic's partitions and leaders.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the topic's error code, or as [`Connection::call`].
    pub async fn topic(&mut self, name: &str) -> Result<MetadataResponseTopic, ClientError> {
        let answer = self.metadata(Some(&[name])).await?;
        let topic = answer.topics.into_iter().next();
        let topic = topic.ok_or_else(|| ClientError::Missing { what: format!("topic {name}") })?;
        if topic.error_code != ErrorCode::None {
            return Err(ClientError::refused(format!("topic {name}"), topic.error_code));
        }
        Ok(topic)
    }

    /// Where a node listens, as far as the last metadata told.
    #[must_use]
    pub fn address_of(&self, node: i32) -> Option<&str> {
        self.addresses.get(&node).map(String::as_str)
    }

    /// The nodes that the last metadata named.
    pub(super) fn nodes(&self) -> Vec<i32> {
        self.addresses.keys().copied().collect()
    }

    /// Finds an offset; `None` if no record is of that time or later.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn offset_at(
        &mut self,
        topic: &str,
        partition: i32,
        at: OffsetAt,
    ) -> Result<Option<i64>, ClientError> {
        let described = self.topic(topic).await?;
        let found = described.partitions.iter().find(|it| it.partition_index == partition);
        let missing = || ClientError::Missing { what: format!("{topic}-{partition}") };
        let leader = found.ok_or_else(missing)?.leader_id;
        self.offset_on(leader, topic, partition, at).await
    }

    /// As [`Cluster::offset_at`], where the leader is known.
    pub(super) async fn offset_on(
        &mut self,
        leader: i32,
        topic: &str,
        partition: i32,
        at: OffsetAt,
    ) -> Result<Option<i64>, ClientError> {
        let timestamp = match at {
            OffsetAt::Latest => LATEST,
            OffsetAt::Earliest => EARLIEST,
            OffsetAt::Timestamp(time) => time,
        };
        let request = ListOffsetsRequest {
            replica_id: CONSUMER,
            topics: vec![ListOffsetsTopic {
                name: topic.into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    timestamp,
                    ..ListOffsetsPartition::default()
                }],
            }],
            ..ListOffsetsRequest::default()
        };
        let answer = self.broker(leader).await?.call(&request).await?;
        let results = answer.topics.into_iter().flat_map(|topic| topic.partitions);
        let what = format!("offsets of {topic}-{partition}");
        let Some(result) = results.into_iter().next() else {
            return Err(ClientError::Missing { what });
        };
        ClientError::check(what, result.error_code, None)?;
        Ok((result.offset != NO_OFFSET).then_some(result.offset))
    }
}

const NO_NODE: i32 = -1;
/// What a client, which is no replica, says of itself.
const CONSUMER: i32 = -1;

// Sentinels of ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const NO_OFFSET: i64 = -1;
