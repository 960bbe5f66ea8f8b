//! The consumer protocol: rules by example, many members by chance, and restarts in between.

mod chance;
mod members;
mod migration;
mod topics;

use std::{collections::BTreeSet, sync::Arc};

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        groups::consumer_group_heartbeat::TopicPartitions,
    },
    state::metadata::{MetadataRecord, PartitionRecord, RemoveTopicRecord, TopicRecord},
    wire::Str,
};

use super::{Group, Refused};
use crate::{
    coordinator::group::{
        Catalog, Client, Limits, Reply, Request,
        bench::{Bench, GROUP},
    },
    metadata::Image,
};

/// Topic and partition, as the tests see them.
type Owned = BTreeSet<(Uuid, i32)>;

/// A bench with the topics that its groups can read.
struct Table {
    bench: Bench,
    image: Image,
    version: u64,
}

impl Table {
    fn new(topics: &[(&str, i32)]) -> Self {
        let mut table = Self { bench: Bench::new(), image: Image::default(), version: 0 };
        for &(name, partitions) in topics {
            table.create(name, partitions);
        }
        table
    }

    /// Groups under these limits, in place of those that there were.
    fn use_limits(&mut self, limits: Limits) {
        let catalog = self.bench.catalog.load_full();
        self.bench = Bench::with(limits);
        self.bench.catalog.store(catalog);
    }

    fn create(&mut self, name: &str, partitions: i32) {
        self.version += 1;
        let topic_id = Uuid([u8::try_from(self.version).unwrap(); 16]);
        self.apply(&TopicRecord { name: name.into(), topic_id }.into());
        self.grow(name, partitions);
    }

    /// Gives a topic partitions up to this many.
    fn grow(&mut self, name: &str, partitions: i32) {
        let topic_id = self.id(name);
        let first = i32::try_from(self.image.topic(name).unwrap().partitions.len()).unwrap();
        for partition_id in first..partitions {
            let record = PartitionRecord { partition_id, topic_id, ..PartitionRecord::default() };
            self.apply(&record.into());
        }
        self.publish();
    }

    fn delete(&mut self, name: &str) {
        let record = RemoveTopicRecord { topic_id: self.id(name) };
        self.apply(&record.into());
        self.publish();
    }

    fn id(&self, name: &str) -> Uuid {
        self.image.topic(name).unwrap().id
    }

    fn all(&self, name: &str) -> Owned {
        let topic = self.image.topic(name).unwrap();
        (0..i32::try_from(topic.partitions.len()).unwrap()).map(|one| (topic.id, one)).collect()
    }

    fn heartbeat(
        &mut self,
        r: ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let client = Client { id: "client".into(), host: "/127.0.0.1".into() };
        match self.bench.answer(Request::ConsumerHeartbeat(r, client)) {
            Reply::ConsumerHeartbeat(told) => told,
            other => panic!("{other:?} to a heartbeat"),
        }
    }

    fn refusal(&mut self, r: ConsumerGroupHeartbeatRequest) -> ErrorCode {
        self.heartbeat(r).expect_err("refused").code
    }

    /// Joins and is given everything at once.
    fn join(&mut self, member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatResponse {
        self.heartbeat(join(member, topics)).expect("joined")
    }

    fn group(&self) -> &Group {
        self.bench.group().and_then(|group| group.consumer()).expect("a consumer group")
    }

    fn restart(&mut self) {
        self.bench = self.bench.restarted();
    }

    /// The records make the group that there is, but for what only memory knows.
    fn compare_with_replay(&self) {
        let restarted = self.bench.restarted();
        let restored = restarted.group().and_then(|group| group.consumer()).expect("restored");
        assert_eq!(kept(restored), kept(self.group()));
    }

    fn apply(&mut self, record: &MetadataRecord) {
        let end = self.image.end();
        self.image.apply(record, end).unwrap();
    }

    fn publish(&mut self) {
        self.version += 1;
        let catalog = Catalog::new(Arc::new(self.image.clone()), self.version);
        self.bench.catalog.store(Arc::new(catalog));
    }
}

fn kept(group: &Group) -> Group {
    let mut kept = group.clone();
    kept.looked_at = None;
    kept.sessions.clear();
    kept.deadlines.clear();
    kept
}

fn join(member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: member.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(topics.iter().map(|&name| Str::from(name)).collect()),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

/// A heartbeat that says what the member owns.
fn owning(member: &str, epoch: i32, owned: &Owned) -> ConsumerGroupHeartbeatRequest {
    let mut topics: Vec<TopicPartitions> = Vec::new();
    for &(topic_id, index) in owned {
        match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(index),
            None => topics.push(TopicPartitions { topic_id, partitions: vec![index] }),
        }
    }
    let topic_partitions = Some(topics);
    ConsumerGroupHeartbeatRequest { topic_partitions, ..alive(member, epoch) }
}

/// A heartbeat that says nothing new.
fn alive(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: member.into(),
        member_epoch: epoch,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn given(told: &ConsumerGroupHeartbeatResponse) -> Option<Owned> {
    let topics = &told.assignment.as_ref()?.topic_partitions;
    let one = |topic: &milena_protocol::messages::groups::consumer_group_heartbeat::TopicPartitionsResult| {
        let id = topic.topic_id;
        topic.partitions.iter().map(move |&index| (id, index)).collect::<Vec<_>>()
    };
    Some(topics.iter().flat_map(one).collect())
}
