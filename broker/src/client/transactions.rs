//! What a tool asks about transactions.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest,
        WriteTxnMarkersRequest,
        txn::{
            describe_producers::{ProducerState, TopicRequest},
            describe_transactions::TransactionState as Described,
            list_transactions::TransactionState as Listed,
            write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
        },
    },
};

use super::{ClientError, Cluster};

impl Cluster {
    /// The transactional ids that all brokers coordinate, those that `wanted` lets through.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transactions(
        &mut self,
        wanted: &ListTransactionsRequest,
    ) -> Result<Vec<Listed>, ClientError> {
        let mut listed = Vec::new();
        for node in self.nodes() {
            let mut tries = LOAD_TRIES;
            let answer = loop {
                let answer = self.broker(node).await?.call(wanted).await?;
                if !may_wait(answer.error_code, &mut tries).await {
                    break answer;
                }
            };
            ClientError::check("list transactions", answer.error_code, None)?;
            listed.extend(answer.transaction_states);
        }
        listed.sort_by(|a, b| a.transactional_id.as_str().cmp(b.transactional_id.as_str()));
        Ok(listed)
    }

    /// All there is to know of a transactional id, and the broker that coordinates it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn describe_transaction(
        &mut self,
        id: &str,
    ) -> Result<(i32, Described), ClientError> {
        let node = self.transaction_coordinator_of(id).await?;
        let request = DescribeTransactionsRequest { transactional_ids: vec![id.into()] };
        let what = format!("transactional id {id}");
        let mut tries = LOAD_TRIES;
        let described = loop {
            let answer = self.broker(node).await?.call(&request).await?;
            let described = answer.transaction_states.into_iter().next();
            let described = described.ok_or_else(|| ClientError::Missing { what: what.clone() })?;
            if !may_wait(described.error_code, &mut tries).await {
                break described;
            }
        };
        ClientError::check(what, described.error_code, None)?;
        Ok((node, described))
    }

    /// The broker that coordinates a transactional id, once there is one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transaction_coordinator_of(&mut self, id: &str) -> Result<i32, ClientError> {
        let what = format!("coordinator of transactional id {id}");
        self.find_coordinator(TRANSACTION_KEY, id, &what).await
    }

    /// The producers that a partition remembers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn producers_of(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<Vec<ProducerState>, ClientError> {
        let leader = self.leader_of(topic, partition).await?;
        let request = DescribeProducersRequest {
            topics: vec![TopicRequest { name: topic.into(), partition_indexes: vec![partition] }],
        };
        let answer = self.broker(leader).await?.call(&request).await?;
        let what = format!("producers of {topic}-{partition}");
        let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let found = found.ok_or_else(|| ClientError::Missing { what: what.clone() })?;
        ClientError::check(what, found.error_code, found.error_message.as_deref())?;
        Ok(found.active_producers)
    }

    /// Has a partition abort the transaction that a producer has open there, whatever its
    /// coordinator knows of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn abort_in(
        &mut self,
        topic: &str,
        partition: i32,
        producer: &ProducerState,
    ) -> Result<(), ClientError> {
        let leader = self.leader_of(topic, partition).await?;
        let unable = || ClientError::Unsendable {
            reason: format!("{} is no producer epoch", producer.producer_epoch),
        };
        let marker = WritableTxnMarker {
            producer_id: producer.producer_id,
            producer_epoch: i16::try_from(producer.producer_epoch).map_err(|_| unable())?,
            transaction_result: false,
            topics: vec![WritableTxnMarkerTopic {
                name: topic.into(),
                partition_indexes: vec![partition],
            }],
            coordinator_epoch: producer.coordinator_epoch.max(0),
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let answer = self.broker(leader).await?.call(&request).await?;
        let topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
        for result in topics.flat_map(|topic| topic.partitions) {
            let what = format!("abort in {topic}-{partition}");
            ClientError::check(what, result.error_code, None)?;
        }
        Ok(())
    }

    /// The broker that leads a partition, as the cluster tells it.
    async fn leader_of(&mut self, topic: &str, partition: i32) -> Result<i32, ClientError> {
        let described = self.topic(topic).await?;
        let found = described.partitions.iter().find(|one| one.partition_index == partition);
        let missing = || ClientError::Missing { what: format!("{topic}-{partition}") };
        Ok(found.ok_or_else(missing)?.leader_id)
    }
}

/// Waits a moment for a coordinator that is still reading its state, so many times.
async fn may_wait(code: ErrorCode, tries: &mut u32) -> bool {
    if code != ErrorCode::CoordinatorLoadInProgress || *tries == 0 {
        return false;
    }
    *tries -= 1;
    tokio::time::sleep(super::RETRY_AFTER).await;
    true
}

const TRANSACTION_KEY: i8 = 1;
const LOAD_TRIES: u32 = 50;
