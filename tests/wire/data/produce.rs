//! Produce v3-13.

use std::time::Duration;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, Timestamp,
    compression::Codec,
    messages::{
        FetchRequest, ProduceRequest,
        data::produce::{PartitionProduceResponse, ProduceResponse},
    },
    records::BatchBuilder,
    wire::Str,
};
use milena_tests::{RawClient, TestBroker};

use super::*;

fn only(response: &ProduceResponse) -> &PartitionProduceResponse {
    &response.responses[0].partition_responses[0]
}

/// Flips or sets bytes of a batch and makes its checksum right again.
fn altered(values: &[&str], alter: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = batch(values).to_vec();
    alter(&mut bytes);
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

#[test]
fn every_version_appends_and_tells_the_offset() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let id = create(&mut client, "t", 1, &[]);
    for (at, version) in (0..).zip(3..=13) {
        let mut request = produce_to("t", 0, -1, batch(&["a", "b"]));
        request.topic_data[0].topic_id = id;
        let response = client.ask(version, &request);
        let expected = PartitionProduceResponse {
            index: 0,
            base_offset: at * 2,
            log_start_offset: if version < 5 { -1 } else { 0 },
            ..PartitionProduceResponse::default()
        };
        assert_eq!(*only(&response), expected, "v{version}");
    }
    assert_eq!(values(&fetch(&mut client, "t", 0, 20)), [(20, "a".into()), (21, "b".into())]);
}

#[test]
fn versions_below_3_are_shown_but_not_served() {
    let broker = TestBroker::start(&[]);
    let shown = broker.services().apis.iter().find(|api| api.api_key == 0).unwrap();
    assert_eq!((shown.min_version, shown.max_version), (0, 13));
    let mut client = broker.connect();
    client.send(&milena_tests::frame(&[0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 0, 0, 0, 0]));
    client.expect_closed("v2");
}

#[test]
fn what_does_not_exist_is_named_and_the_rest_is_appended() {
    let broker = TestBroker::start(&[("auto.create.topics.enable", "false")]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let mut request = produce_to("t", 0, 1, batch(&["a"]));
    let no_partition = produce_to("t", 7, 1, batch(&["a"])).topic_data.remove(0);
    request.topic_data[0].partition_data.extend(no_partition.partition_data);
    request.topic_data.extend(produce_to("none", 0, 1, batch(&["a"])).topic_data);
    let response = client.ask(9, &request);
    let codes: Vec<_> = response
        .responses
        .iter()
        .flat_map(|topic| topic.partition_responses.iter().map(|it| it.error_code))
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(codes, [ErrorCode::None, unknown, unknown]);

    let by_id = client.ask(13, &produce_to("", 0, 1, batch(&["a"])));
    assert_eq!(only(&by_id).error_code, ErrorCode::UnknownTopicId);
}

#[test]
fn bad_batches_are_refused_one_by_one_with_kafkas_codes() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("max.message.bytes", "200")]);
    let two = [batch(&["a"]), batch(&["b"])].concat();
    let long = "x".repeat(300);
    let wrong_checksum = {
        let mut bytes = batch(&["a"]).to_vec();
        bytes[17] ^= 1;
        Bytes::from(bytes)
    };
    let truncated = batch(&["a"]).slice(..40);
    let short = batch(&["a"]).slice(..66);
    let attributes = |value: u8| altered(&["a"], move |bytes| bytes[22] = value);
    let count = |value: i32| {
        altered(&["a"], move |bytes| bytes[57..61].copy_from_slice(&value.to_be_bytes()))
    };
    let length = |value: i32| {
        altered(&["a"], move |bytes| bytes[8..12].copy_from_slice(&value.to_be_bytes()))
    };
    let magic = |value: u8| altered(&["a"], move |bytes| bytes[16] = value);
    let cases = [
        ("wrong checksum", wrong_checksum, ErrorCode::CorruptMessage),
        ("magic 0", magic(0), ErrorCode::InvalidRecord),
        ("magic 1", magic(1), ErrorCode::InvalidRecord),
        ("magic 3", magic(3), ErrorCode::CorruptMessage),
        ("no batch", Bytes::new(), ErrorCode::InvalidRecord),
        ("two batches", two.into(), ErrorCode::InvalidRecord),
        ("negative length", length(-1), ErrorCode::CorruptMessage),
        ("length too short", length(10), ErrorCode::CorruptMessage),
        ("longer than the bytes", length(1000), ErrorCode::InvalidRecord),
        ("half a header", truncated, ErrorCode::InvalidRecord),
        ("half a record", short, ErrorCode::InvalidRecord),
        ("count that lies", count(2), ErrorCode::InvalidRecord),
        ("negative count", count(-1), ErrorCode::InvalidRecord),
        ("control batch", attributes(0x20), ErrorCode::InvalidRecord),
        ("codec 5", attributes(5), ErrorCode::UnsupportedCompressionType),
        ("codec 7", attributes(7), ErrorCode::UnsupportedCompressionType),
        ("too large", batch(&[&long]), ErrorCode::MessageTooLarge),
        ("producer without sequence", sequenced(5, 0, -1, &["a"]), ErrorCode::InvalidRecord),
        (
            "of a transaction, but without its id",
            attributes(0x10),
            ErrorCode::TransactionalIdAuthorizationFailed,
        ),
    ];
    for (say, records, expected) in cases {
        let answer = produce(&mut client, "t", 0, records);
        assert_eq!((answer.error_code, answer.base_offset), (expected, -1), "{say}");
    }
    assert_eq!(produce(&mut client, "t", 0, batch(&["good"])).base_offset, 0);
}

#[test]
fn zstd_needs_version_7() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let request = produce_to("t", 0, -1, fill(BatchBuilder::new(Codec::Zstd), &["a"]));
    let code = |client: &mut RawClient, version| only(&client.ask(version, &request)).error_code;
    assert_eq!(code(&mut client, 6), ErrorCode::UnsupportedCompressionType);
    assert_eq!(code(&mut client, 7), ErrorCode::None);
    assert_eq!(values(&fetch(&mut client, "t", 0, 0)), [(0, "a".into())]);
}

#[test]
fn a_bomb_is_refused_where_records_are_read() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("compression.type", "lz4")]);
    let zeros = "\0".repeat(1 << 20);
    let values: Vec<&str> = std::iter::repeat_n(zeros.as_str(), 64).collect();
    let bomb = fill(BatchBuilder::new(Codec::Zstd), &values);
    assert!(bomb.len() < 1 << 20, "it is small as it comes");
    let answer = produce(&mut client, "t", 0, bomb);
    assert!(
        [ErrorCode::MessageTooLarge, ErrorCode::CorruptMessage].contains(&answer.error_code),
        "{answer:?}"
    );
}

#[test]
fn a_future_timestamp_is_refused_and_the_record_is_named() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let year_ms = 366 * 24 * 3_600_000;
    let mut builder = BatchBuilder::new(Codec::None);
    let now = broker.services().clock.now();
    builder.append(now, None, Some(b"now"), &[]).unwrap();
    builder.append(Timestamp(now.0 + year_ms), None, Some(b"then"), &[]).unwrap();
    let answer = produce(&mut client, "t", 0, builder.build().unwrap());
    assert_eq!(answer.error_code, ErrorCode::InvalidTimestamp);
    let named: Vec<i32> = answer.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [1]);
    assert!(answer.error_message.is_some());
}

#[test]
fn log_append_time_is_told_and_stored() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let before = broker.services().clock.now().0;
    let answer = produce(&mut client, "t", 0, batch(&["a"]));
    assert!(answer.log_append_time_ms >= before, "{answer:?}");
}

#[test]
fn only_acks_0_1_and_all_are_acks() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    for acks in [2, -2, i16::MAX] {
        let response = client.ask(9, &produce_to("t", 0, acks, batch(&["a"])));
        assert_eq!(only(&response).error_code, ErrorCode::InvalidRequiredAcks, "{acks}");
    }
    assert_eq!(fetch(&mut client, "t", 0, 0).high_watermark, 0);
}

#[test]
fn acks_0_is_not_answered_and_its_failure_closes_the_connection() {
    let broker = TestBroker::start(&[("auto.create.topics.enable", "false")]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    client.start(9, &produce_to("t", 0, 0, batch(&["a"])));
    // The next answer on the connection is to the next request.
    assert_eq!(produce(&mut client, "t", 0, batch(&["b"])).base_offset, 1);
    client.start(9, &produce_to("none", 0, 0, batch(&["a"])));
    client.expect_closed("acks=0 to a topic that does not exist");
}

#[test]
fn too_few_replicas_in_sync_concern_acks_all_alone() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("min.insync.replicas", "2")]);
    let mut code = |acks| only(&client.ask(9, &produce_to("t", 0, acks, batch(&["a"])))).error_code;
    assert_eq!(code(-1), ErrorCode::NotEnoughReplicas);
    assert_eq!(code(1), ErrorCode::None);
}

#[test]
fn a_transactional_id_makes_no_transaction_of_a_batch_that_says_nothing_of_one() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let mut request = produce_to("t", 0, -1, batch(&["a"]));
    request.transactional_id = Some(Str::from_static("x"));
    let response = client.ask(9, &request);
    assert_eq!(only(&response).error_code, ErrorCode::None);
    let partition = broker.services().replicas.topic_named("t").unwrap().partition(0).unwrap();
    assert_eq!(partition.last_stable_offset(), partition.high_watermark());
}

#[test]
fn an_idempotent_producer_writes_each_batch_once() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let mut send = |epoch, sequence, values: &[&str]| {
        let answer = produce(&mut client, "t", 0, sequenced(7, epoch, sequence, values));
        (answer.error_code, answer.base_offset)
    };
    assert_eq!(send(1, 0, &["a", "b"]), (ErrorCode::None, 0));
    assert_eq!(send(1, 2, &["c"]), (ErrorCode::None, 2));
    assert_eq!(send(1, 0, &["a", "b"]), (ErrorCode::None, 0), "a replay has its old offset");
    assert_eq!(send(1, 4, &["e"]), (ErrorCode::OutOfOrderSequenceNumber, -1));
    assert_eq!(send(0, 3, &["d"]), (ErrorCode::InvalidProducerEpoch, -1));
    assert_eq!(send(1, 3, &["d"]), (ErrorCode::None, 3));
    assert_eq!(fetch(&mut client, "t", 0, 0).high_watermark, 4);
}

#[test]
fn pipelined_requests_are_appended_and_answered_in_order() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let count = 200;
    let sent: Vec<i32> = (0..count)
        .map(|at| client.start(9, &produce_to("t", 0, -1, sequenced(3, 0, at, &["v"]))))
        .collect();
    for (at, correlation_id) in (0..).zip(sent) {
        let response = client.finish::<ProduceRequest>(9, correlation_id);
        assert_eq!(
            (only(&response).error_code, only(&response).base_offset),
            (ErrorCode::None, at)
        );
    }
}

#[test]
fn a_slow_fetch_does_not_hold_up_what_is_appended_behind_it() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[]);
    let mut waiting = fetch_of("t", 0, 0);
    waiting.max_wait_ms = 60_000;
    let fetched = client.start(11, &waiting);
    let produced = client.start(9, &produce_to("t", 0, -1, batch(&["a"])));
    let response = client.finish::<FetchRequest>(11, fetched);
    assert_eq!(values(&response.responses[0].partitions[0]), [(0, "a".into())]);
    assert_eq!(only(&client.finish::<ProduceRequest>(9, produced)).base_offset, 0);
}

#[test]
fn records_outlive_a_restart() {
    let mut broker = TestBroker::start(&[]);
    create(&mut broker.connect(), "t", 1, &[]);
    produce(&mut broker.connect(), "t", 0, sequenced(9, 0, 0, &["a"]));
    broker.restart();
    let mut client = broker.connect();
    assert_eq!(values(&fetch(&mut client, "t", 0, 0)), [(0, "a".into())]);
    let again = produce(&mut client, "t", 0, sequenced(9, 0, 0, &["a"]));
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::None, 0), "still known");
}

#[test]
fn a_deleted_topic_ends_waits_and_a_new_one_of_its_name_is_empty() {
    use milena_protocol::messages::{DeleteTopicsRequest, topics::delete_topics::DeleteTopicState};
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    let mut other = broker.connect();
    other.set_patience(Duration::from_secs(20));
    create(&mut client, "t", 1, &[]);
    produce(&mut client, "t", 0, batch(&["old"]));
    let mut waiting = fetch_of("t", 0, 1);
    waiting.max_wait_ms = 60_000;
    let fetched = other.start(11, &waiting);
    let name = Some(Str::from_static("t"));
    let topics = vec![DeleteTopicState { name, ..DeleteTopicState::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    assert_eq!(client.ask(6, &request).responses[0].error_code, ErrorCode::None);
    let response = other.finish::<FetchRequest>(11, fetched);
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition);
    create(&mut client, "t", 1, &[]);
    assert_eq!(fetch(&mut client, "t", 0, 0).high_watermark, 0);
}
