//! All brokers of a cluster, found from the few that a user names.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use milena_protocol::{
    ErrorCode,
    messages::{
        MetadataRequest, MetadataResponse,
        cluster::metadata::{MetadataRequestTopic, MetadataResponseTopic},
    },
    wire::Request,
};

use super::{ClientError, Connection};

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
}

const NO_NODE: i32 = -1;
