//! The topic that a load goes to, made where there is none.

use std::time::Duration;

use anyhow::Context;
use milena_protocol::{
    ErrorCode, Uuid,
    messages::{CreateTopicsRequest, topics::create_topics::CreatableTopic},
};

use super::Target;
use crate::client::{ClientError, Cluster, Connection};

/// A topic and where its partitions are led.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) id: Uuid,
    partitions: Vec<Place>,
    limit: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) index: i32,
    leader: String,
}

impl Topic {
    /// Looks a topic up, and makes it with so many partitions if there is none.
    ///
    /// # Errors
    /// What the broker says, or that it cannot be reached.
    pub(super) async fn find_or_make(
        target: &Target,
        name: &str,
        partitions: i32,
    ) -> anyhow::Result<Self> {
        let mut cluster = target.connect().await?;
        let limit = Duration::from_secs(target.timeout);
        match cluster.topic(name).await {
            Err(ClientError::Refused { code: ErrorCode::UnknownTopicOrPartition, .. }) => {
                make(&mut cluster, name, partitions).await?;
            }
            found => return Self::of(&cluster, found?, limit),
        }
        for _ in 0..LOOKS {
            if let Ok(made) = cluster.topic(name).await
                && made.partitions.iter().all(|it| cluster.address_of(it.leader_id).is_some())
            {
                return Self::of(&cluster, made, limit);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        anyhow::bail!("topic {name} was made but is not there")
    }

    fn of(
        cluster: &Cluster,
        described: milena_protocol::messages::cluster::metadata::MetadataResponseTopic,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let mut partitions = Vec::with_capacity(described.partitions.len());
        for partition in &described.partitions {
            let index = partition.partition_index;
            let leader = cluster.address_of(partition.leader_id).map(str::to_owned);
            let leader = leader.with_context(|| format!("partition {index} has no leader"))?;
            partitions.push(Place { index, leader });
        }
        partitions.sort_by_key(|place| place.index);
        let name = described.name.as_deref().unwrap_or_default().to_owned();
        Ok(Self { name, id: described.topic_id, partitions, limit })
    }

    pub(super) fn partitions(&self) -> &[Place] {
        &self.partitions
    }

    /// The partition whose turn it is at the `at`th connection.
    pub(super) fn place(&self, at: usize) -> anyhow::Result<&Place> {
        let count = self.partitions.len().max(1);
        self.partitions.get(at % count).context("the topic has no partitions")
    }

    /// A connection to the partition's leader.
    pub(super) async fn connect(&self, place: &Place) -> Result<Connection, ClientError> {
        Connection::open(&place.leader, self.limit).await
    }
}

async fn make(cluster: &mut Cluster, name: &str, partitions: i32) -> Result<(), ClientError> {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: BROKER_DEFAULT,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    let answer = cluster.call_controller(&request).await?;
    for topic in answer.topics {
        let what = format!("create topic {name}");
        ClientError::check(what, topic.error_code, topic.error_message.as_deref())?;
    }
    Ok(())
}

const BROKER_DEFAULT: i16 = -1;
const LOOKS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
