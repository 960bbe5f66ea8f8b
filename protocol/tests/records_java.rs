//! Batches that the Java client of Kafka 4.4.0 wrote, one file each under `fixtures/records`:
//! four records with every codec, append times, both transaction markers and a leader change.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::{collections::BTreeSet, path::PathBuf};

use bytes::Bytes;
use milena_protocol::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp,
    compression::{Codec, InflateLimit},
    records::{
        Batch, BatchBuilder, ControlKey, ControlType, EndTxnMarker, Header, HeaderPatch, Record,
        TimestampType,
    },
};

#[expect(clippy::disallowed_methods, reason = "fixtures are not the broker's files")]
fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/records/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(PathBuf::from(path)).unwrap();
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn parse(name: &str) -> Batch {
    let mut bytes = fixture(name);
    let batch = Batch::split(&mut bytes).unwrap();
    assert!(bytes.is_empty());
    batch
}

fn read(batch: &Batch) -> Vec<Record> {
    batch.records(InflateLimit::default()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn records() -> Vec<Record> {
    let text = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let header = |key: &'static str, value| Header { key: key.into(), value };
    let record = |offset, timestamp, key, value, headers| Record {
        offset: Offset(offset),
        timestamp: Timestamp(timestamp),
        key,
        value,
        headers,
    };
    let traced = vec![header("trace", text("abc")), header("none", None)];
    vec![
        record(40, 1_000, text("a"), text("one"), traced),
        record(41, 1_500, None, text("two"), vec![]),
        record(42, 900, text("c"), None, vec![header("ключ", text(""))]),
        record(43, 1_200, text(""), text(&"milena ".repeat(300)), vec![]),
    ]
}

#[test]
fn java_batches_of_every_codec_are_read() {
    for codec in Codec::ALL {
        let batch = parse(&format!("java-{codec}"));
        assert_eq!(batch.compression(), Ok(codec));
        assert_eq!(read(&batch), records(), "{codec}");
        assert!(batch.is_transactional() && !batch.is_control());
        assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(40), Offset(43)));
        assert_eq!(
            (batch.base_timestamp(), batch.max_timestamp()),
            (Timestamp(1_000), Timestamp(1_500))
        );
        assert_eq!(
            (batch.producer_id(), batch.producer_epoch()),
            (ProducerId(9), ProducerEpoch(2))
        );
        assert_eq!((batch.base_sequence(), batch.last_sequence()), (100, 103));
        assert_eq!(batch.leader_epoch(), LeaderEpoch(7));
    }
}

#[test]
fn the_same_records_make_the_same_bytes_as_java() {
    let mut builder = BatchBuilder::new(Codec::None)
        .base_offset(Offset(40))
        .leader_epoch(LeaderEpoch(7))
        .transactional(true)
        .producer(ProducerId(9), ProducerEpoch(2), 100);
    for record in records() {
        builder.append_record(&record).unwrap();
    }
    assert_eq!(builder.build().unwrap(), fixture("java-none"));
}

#[test]
fn recompressing_any_java_batch_without_a_codec_yields_the_uncompressed_one() {
    for codec in Codec::ALL {
        let batch = parse(&format!("java-{codec}"));
        let plain = batch.recompress(Codec::None.into(), InflateLimit::default()).unwrap();
        assert_eq!(plain.bytes(), &fixture("java-none"));
    }
}

#[test]
fn java_append_times_are_read() {
    let batch = parse("java-append-time");
    assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
    let times: Vec<_> = read(&batch).iter().map(|record| record.timestamp).collect();
    assert_eq!(times, [batch.max_timestamp(); 4]);
}

#[test]
fn java_markers_are_read_and_made_alike() {
    for (name, commit) in [("java-commit", true), ("java-abort", false)] {
        let batch = parse(name);
        let marker = EndTxnMarker { commit, coordinator_epoch: 17 };
        assert_eq!(EndTxnMarker::read(&read(&batch)[0]), Ok(Some(marker)));
        let ours = marker.batch(ProducerId(9), ProducerEpoch(2), Timestamp(77)).unwrap();
        assert_eq!(&ours, batch.bytes());
    }
}

#[test]
fn a_java_leader_change_is_read_and_made_alike() {
    let batch = parse("java-leader-change");
    let records = read(&batch);
    let key = ControlKey { version: 0, kind: ControlType::LeaderChange };
    assert_eq!(ControlKey::read(&records[0]), Ok(key));
    let value = records[0].value.clone().unwrap();
    let ours = key.kind.batch(&value, Offset(5), LeaderEpoch(3), Timestamp(77)).unwrap();
    assert_eq!(&ours, batch.bytes());
}

#[test]
fn patching_an_append_time_equals_what_java_computes_over_the_whole_batch() {
    let stamped = parse("java-append-time");
    let created = {
        let mut builder =
            BatchBuilder::new(Codec::None).producer(ProducerId(9), ProducerEpoch(2), 100);
        for record in records() {
            let key = record.key.as_deref();
            let value = record.value.as_deref();
            builder.append(record.timestamp, key, value, &record.headers).unwrap();
        }
        Batch::split(&mut builder.build().unwrap()).unwrap()
    };
    let patch = HeaderPatch {
        base_offset: Offset(40),
        leader_epoch: LeaderEpoch(7),
        log_append_time: Some(stamped.max_timestamp()),
    };
    let ours = [&patch.apply(&created)[..], &created.body()].concat();
    assert_eq!(&ours, stamped.bytes());
}

#[test]
fn no_fixture_is_left_unread() {
    let codecs = Codec::ALL.map(|codec| format!("java-{codec}.hex"));
    let others =
        ["append-time", "commit", "abort", "leader-change"].map(|n| format!("java-{n}.hex"));
    let known: BTreeSet<_> = codecs.into_iter().chain(others).collect();
    let directory = format!("{}/tests/fixtures/records", env!("CARGO_MANIFEST_DIR"));
    let found: BTreeSet<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, known);
}
