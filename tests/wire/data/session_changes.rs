//! What a fetch session over many partitions tells when one of them changes, each kind of change
//! for itself: the others are not looked at.

use milena_broker::replica::Partition;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId, Uuid,
    messages::{
        DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest,
        data::{
            delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
            fetch::{FetchPartition, FetchResponse, FetchTopic, ForgottenTopic},
        },
    },
};
use milena_storage::{log::Origin, producers::EndMarker};
use milena_tests::{RawClient, TestBroker};

use super::*;

const VERSION: i16 = 12;
const PARTITIONS: i32 = 300;

/// A session over all partitions of `t`, which has been told of all there is.
struct Session {
    client: RawClient,
    id: i32,
    epoch: i32,
    isolation_level: i8,
}

impl Session {
    fn open(broker: &TestBroker, isolation_level: i8) -> Self {
        let mut client = broker.connect();
        create(&mut client, "t", PARTITIONS, &[("flush.policy", "os")]);
        let mut session = Self { client, id: 0, epoch: 0, isolation_level };
        let answer = session.ask((0..PARTITIONS).map(|index| (index, 0)), 0);
        session.id = answer.session_id;
        assert_ne!(session.id, 0);
        assert_eq!(session.news(), [0; 0]);
        session
    }

    fn request(&self, wanted: impl Iterator<Item = (i32, i64)>, max_wait_ms: i32) -> FetchRequest {
        let partitions = wanted.map(|(partition, fetch_offset)| FetchPartition {
            partition,
            fetch_offset,
            current_leader_epoch: 0,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        });
        let topic = Str::from_static("t");
        let topic = FetchTopic { topic, partitions: partitions.collect(), ..FetchTopic::default() };
        FetchRequest {
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 1 << 20,
            isolation_level: self.isolation_level,
            session_id: self.id,
            session_epoch: self.epoch,
            topics: Some(topic).into_iter().filter(|it| !it.partitions.is_empty()).collect(),
            ..FetchRequest::default()
        }
    }

    fn ask(&mut self, wanted: impl Iterator<Item = (i32, i64)>, max_wait_ms: i32) -> FetchResponse {
        let request = self.request(wanted, max_wait_ms);
        self.epoch += 1;
        self.client.ask(VERSION, &request)
    }

    /// What a request that asks for nothing new is told.
    fn next(&mut self) -> Vec<PartitionData> {
        self.consumed(&[])
    }

    /// What a request is told that has read these partitions up to these offsets.
    fn consumed(&mut self, read: &[(i32, i64)]) -> Vec<PartitionData> {
        let answer = self.ask(read.iter().copied(), 0);
        assert_eq!(answer.error_code, ErrorCode::None);
        answer.responses.into_iter().flat_map(|topic| topic.partitions).collect()
    }

    /// The partitions in the next answer.
    fn news(&mut self) -> Vec<i32> {
        self.next().iter().map(|it| it.partition_index).collect()
    }
}

fn partition_of(broker: &TestBroker, index: i32) -> std::sync::Arc<Partition> {
    broker.services().replicas.topic_named("t").unwrap().partition(index).unwrap()
}

#[test]
fn new_records_are_told_until_they_are_read() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let mut producer = broker.connect();
    for index in [299, 7] {
        produce(&mut producer, "t", index, batch(&["a"]));
    }
    assert_eq!(session.news(), [7, 299]);
    assert_eq!(session.news(), [7, 299], "not yet read");
    let left = session.consumed(&[(7, 1)]);
    assert_eq!(left.iter().map(|it| it.partition_index).collect::<Vec<_>>(), [299]);
    assert_eq!(session.consumed(&[(299, 1)]).len(), 0);
    produce(&mut producer, "t", 7, batch(&["b"]));
    let news = session.next();
    assert_eq!(news.len(), 1);
    assert_eq!(values(&news[0]), [(1, "b".into())]);
}

#[test]
fn a_fetch_that_waits_is_woken_by_any_partition() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let mut producer = broker.connect();
    for (end, index) in (1..=3).flat_map(|end| [(end, 0), (end, 150), (end, 299)]) {
        let waiting = session.request(std::iter::empty(), i32::MAX);
        session.epoch += 1;
        let asked = session.client.start(VERSION, &waiting);
        produce(&mut producer, "t", index, batch(&["a"]));
        let answer = session.client.finish::<FetchRequest>(VERSION, asked);
        assert_eq!(answer.responses[0].partitions[0].partition_index, index);
        assert_eq!(session.consumed(&[(index, end)]).len(), 0);
    }
}

#[test]
fn records_that_are_deleted_move_the_start_that_is_told() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let mut other = broker.connect();
    produce(&mut other, "t", 200, batch(&["a", "b"]));
    assert_eq!(session.news(), [200]);
    assert_eq!(session.consumed(&[(200, 2)]).len(), 0);

    let partitions = vec![DeleteRecordsPartition { partition_index: 200, offset: 1 }];
    let topics = vec![DeleteRecordsTopic { name: Str::from_static("t"), partitions }];
    other.ask(2, &DeleteRecordsRequest { topics, timeout_ms: 10_000 });
    let news = session.next();
    assert_eq!(news.len(), 1);
    let told = (news[0].partition_index, news[0].log_start_offset, news[0].high_watermark);
    assert_eq!(told, (200, 1, 2));
    assert_eq!(session.news(), [0; 0]);
}

#[test]
fn the_end_of_a_transaction_shows_what_it_hid() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 1);
    let partition = partition_of(&broker, 100);
    let builder = BatchBuilder::new(Codec::None).transactional(true);
    let builder = builder.producer(ProducerId(5), ProducerEpoch(0), -1);
    partition.append_as(Origin::Coordinator, fill(builder, &["a"]), MADE).unwrap();
    let news = session.next();
    let told = |it: &PartitionData| (it.high_watermark, it.last_stable_offset, values(it).len());
    assert_eq!(news.iter().map(told).collect::<Vec<_>>(), [(1, 0, 0)]);
    assert_eq!(session.news(), [0; 0]);

    let marker = EndMarker {
        producer: ProducerId(5),
        epoch: ProducerEpoch(0),
        coordinator_epoch: 0,
        timestamp: MADE,
        commit: true,
    };
    partition.append_marker(&marker, 1, MADE).unwrap();
    let news = session.next();
    assert_eq!(news.len(), 1);
    assert_eq!((news[0].high_watermark, news[0].last_stable_offset), (2, 2));
    assert!(!news[0].records.as_ref().unwrap().is_empty());
}

#[test]
fn what_committed_readers_do_not_see_others_do() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 1);
    let partition = partition_of(&broker, 100);
    let builder = BatchBuilder::new(Codec::None).transactional(true);
    let builder = builder.producer(ProducerId(5), ProducerEpoch(0), -1);
    partition.append_as(Origin::Coordinator, fill(builder, &["a"]), MADE).unwrap();
    assert_eq!(session.news(), [100]);
    assert_eq!(session.news(), [0; 0]);
    session.isolation_level = 0;
    let news = session.next();
    assert_eq!(news.len(), 1);
    assert_eq!(values(&news[0]), [(0, "a".into())]);
}

#[test]
fn a_topic_that_goes_is_an_error_until_it_is_there_again() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let mut other = broker.connect();
    let waiting = session.request(std::iter::empty(), i32::MAX);
    session.epoch += 1;
    let asked = session.client.start(VERSION, &waiting);
    let name = Some(Str::from_static("t"));
    let request =
        DeleteTopicsRequest { topic_names: name.into_iter().collect(), ..Default::default() };
    other.ask(4, &request);
    let gone = |told: &[PartitionData]| {
        let code = ErrorCode::UnknownTopicOrPartition;
        told.len() == 300 && told.iter().all(|it| it.error_code == code)
    };
    // Partitions go one after the other, and the first is enough for an answer.
    let answer = session.client.finish::<FetchRequest>(VERSION, asked);
    assert!(!answer.responses.is_empty());
    assert!(gone(&session.next()));
    assert!(gone(&session.next()), "each time");

    create(&mut other, "t", PARTITIONS, &[("flush.policy", "os")]);
    let back = session.next();
    assert_eq!(back.len(), 300, "the end of an error is news");
    assert!(back.iter().all(|it| it.error_code == ErrorCode::None));
    assert_eq!(session.news(), [0; 0]);
    produce(&mut other, "t", 42, batch(&["anew"]));
    assert_eq!(session.news(), [42]);
}

#[test]
fn an_offset_that_is_out_of_range_is_an_error_until_it_is_corrected() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let codes = |told: Vec<PartitionData>| -> Vec<(i32, ErrorCode)> {
        told.iter().map(|it| (it.partition_index, it.error_code)).collect()
    };
    let beyond = [(9, ErrorCode::OffsetOutOfRange)];
    assert_eq!(codes(session.consumed(&[(9, 5)])), beyond);
    assert_eq!(codes(session.next()), beyond);
    assert_eq!(codes(session.consumed(&[(9, 0)])), [(9, ErrorCode::None)]);
    assert_eq!(session.news(), [0; 0]);
}

#[test]
fn what_is_forgotten_is_told_no_more_and_what_is_added_is() {
    let broker = TestBroker::start(&[]);
    let mut session = Session::open(&broker, 0);
    let mut other = broker.connect();
    let mut forget = session.request(std::iter::empty(), 0);
    session.epoch += 1;
    forget.forgotten_topics_data = vec![ForgottenTopic {
        topic: Str::from_static("t"),
        topic_id: Uuid::ZERO,
        partitions: vec![10, 20],
    }];
    assert_eq!(session.client.ask(VERSION, &forget).responses, []);
    for index in [10, 20, 298, 299] {
        produce(&mut other, "t", index, batch(&["a"]));
    }
    let mut told = session.news();
    told.sort_unstable();
    assert_eq!(told, [298, 299], "which have moved to where the others were");
    let mut told: Vec<i32> =
        session.consumed(&[(10, 0), (298, 1)]).iter().map(|it| it.partition_index).collect();
    told.sort_unstable();
    assert_eq!(told, [10, 299]);
}
