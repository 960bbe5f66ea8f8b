//! Topics that come and go under the same few names, and records that are deleted, while brokers
//! are killed.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Mutex, time::Duration};

use milena_broker::client::{
    ClientError, Cluster, Consumer, Outgoing, Producer, ProducerOptions, Start,
};
use milena_protocol::{
    compression::Codec,
    messages::{
        CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        data::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
        topics::{create_topics::CreatableTopic, delete_topics::DeleteTopicState},
    },
};

use super::{
    dice::Dice,
    ledger::{Ledger, Place},
};

/// Makes a topic, writes one record to it, deletes it, and begins again.
pub(crate) struct Chores {
    dice: Dice,
    /// Partitions that records are deleted from.
    trimmed: Vec<Place>,
    /// How often a topic was made, which is what its only record says.
    generation: u64,
    topics: BTreeMap<String, Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Asked for, but not answered: it may be there or not.
    Open {
        generation: u64,
    },
    There {
        generation: u64,
        written: bool,
    },
    Gone,
}

impl Chores {
    pub(crate) fn new(trimmed: Vec<Place>, dice: Dice) -> Self {
        Self { dice, trimmed, generation: 0, topics: BTreeMap::new() }
    }

    /// Goes on until the connection breaks.
    pub(crate) async fn run(&mut self, address: SocketAddr, ledger: &Mutex<Ledger>) {
        match self.work(&address.to_string(), ledger).await {
            Ok(()) | Err(ClientError::Broken { .. } | ClientError::Unreachable { .. }) => {}
            Err(_) if ledger.lock().expect("the ledger").is_failing() => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Holds the topics of a broker that was started on `data` against what was answered.
    pub(crate) async fn check(&mut self, address: SocketAddr, data: &Path) {
        let address = address.to_string();
        let connect = || Cluster::connect(&address, PATIENCE);
        let mut cluster = connect().await.expect("connect");
        let known = cluster.metadata(None).await.expect("list the topics").topics;
        for (name, fate) in &mut self.topics {
            let there = known.iter().any(|topic| topic.name.as_deref() == Some(name));
            let directory = data.join(format!("{name}-0")).exists();
            assert_eq!(there, directory, "{name}, {fate:?}: metadata and directory");
            let (generation, written) = match *fate {
                Fate::Open { generation } if there => (generation, false),
                Fate::There { generation, written } if there => (generation, written),
                Fate::There { .. } => panic!("{name}, {fate:?}, is gone"),
                Fate::Gone if there => panic!("{name} was deleted and is back"),
                Fate::Open { .. } | Fate::Gone => {
                    *fate = Fate::Gone;
                    continue;
                }
            };
            *fate = Fate::There { generation, written };
            let cluster = connect().await.expect("connect");
            let mut consumer =
                Consumer::new(cluster, name, None, Start::Earliest).await.expect("begin to read");
            let mut values = Vec::new();
            while !consumer.at_end() {
                let records = consumer.poll(PATIENCE).await.expect("read");
                values.extend(records.into_iter().filter_map(|record| record.value));
            }
            assert!(values.len() <= 1 && (!written || values.len() == 1), "{name}: {values:?}");
            assert!(values.iter().all(|value| **value == *generation.to_string().as_bytes()));
        }
    }
    async fn work(&mut self, address: &str, ledger: &Mutex<Ledger>) -> Result<(), ClientError> {
        let mut cluster = Cluster::connect(address, PATIENCE).await?;
        loop {
            let name = format!("brief-{}", self.dice.below(3));
            match self.topics.get(&name) {
                Some(&Fate::There { generation, .. }) => {
                    self.topics.insert(name.clone(), Fate::Open { generation });
                    delete(&mut cluster, &name).await?;
                    self.topics.insert(name, Fate::Gone);
                }
                Some(Fate::Open { .. }) => panic!("{name} is not known to be there or not"),
                Some(Fate::Gone) | None => {
                    self.generation += 1;
                    let generation = self.generation;
                    self.topics.insert(name.clone(), Fate::Open { generation });
                    create(&mut cluster, &name).await?;
                    self.topics.insert(name.clone(), Fate::There { generation, written: false });
                    write(address, &name, generation).await?;
                    self.topics.insert(name, Fate::There { generation, written: true });
                }
            }
            self.trim(&mut cluster, ledger).await?;
        }
    }

    async fn trim(
        &mut self,
        cluster: &mut Cluster,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), ClientError> {
        let count = u32::try_from(self.trimmed.len()).expect("few partitions");
        let Some(&place) = self.trimmed.get(self.dice.below(count) as usize) else { return Ok(()) };
        let to = ledger.lock().expect("the ledger").ask_trim(place, &mut self.dice);
        let Some(offset) = to else { return Ok(()) };
        let (topic, partition_index) = place;
        let partition = DeleteRecordsPartition { partition_index, offset };
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic { name: topic.into(), partitions: vec![partition] }],
            timeout_ms: TIMEOUT_MS,
        };
        let answer = cluster.call(&request).await?;
        for result in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            ClientError::check("delete records", result.error_code, None)?;
            ledger.lock().expect("the ledger").note_trimmed(place, result.low_watermark);
        }
        Ok(())
    }
}

async fn create(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        ..CreateTopicsRequest::default()
    };
    let answer = cluster.call_controller(&request).await?;
    let mut results = answer.topics.iter();
    results.try_for_each(|topic| ClientError::check("create a topic", topic.error_code, None))
}

async fn delete(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some(name.into()), ..DeleteTopicState::default() }],
        topic_names: vec![name.into()],
        timeout_ms: TIMEOUT_MS,
    };
    let answer = cluster.call_controller(&request).await?;
    let mut results = answer.responses.iter();
    results.try_for_each(|topic| ClientError::check("delete a topic", topic.error_code, None))
}

async fn write(address: &str, topic: &str, generation: u64) -> Result<(), ClientError> {
    let options = ProducerOptions {
        topic: topic.to_owned(),
        codec: Codec::None,
        acks: -1,
        batch_bytes: 1,
        limit: PATIENCE,
    };
    let mut producer = Producer::new(Cluster::connect(address, PATIENCE).await?, options).await?;
    let value = Some(generation.to_string().into());
    producer.push(&Outgoing { value, ..Outgoing::default() }).await?;
    producer.flush().await?;
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(10);
const TIMEOUT_MS: i32 = 10_000;
