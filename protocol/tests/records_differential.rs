//! Our batches against those of another implementation, the `kafka-protocol` crate, both ways.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use bytes::{Bytes, BytesMut};
use kafka_protocol::{indexmap::IndexMap, protocol::StrBytes, records as theirs};
use milena_protocol::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp,
    compression::{Codec, InflateLimit},
    records::{Batch, BatchBuilder, Header, Record},
};
use proptest::{collection, option, prelude::*};

fn their_codec(codec: Codec) -> theirs::Compression {
    match codec {
        Codec::None => theirs::Compression::None,
        Codec::Gzip => theirs::Compression::Gzip,
        Codec::Snappy => theirs::Compression::Snappy,
        Codec::Lz4 => theirs::Compression::Lz4,
        Codec::Zstd => theirs::Compression::Zstd,
    }
}

fn their_record(at: i32, record: &Record) -> theirs::Record {
    let header =
        |header: &Header| (StrBytes::from_string(header.name().into_owned()), header.value.clone());
    theirs::Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 7,
        producer_id: 9,
        producer_epoch: 2,
        timestamp_type: theirs::TimestampType::Creation,
        offset: record.offset.0,
        sequence: 100 + at,
        timestamp: record.timestamp.0,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.iter().map(header).collect::<IndexMap<_, _>>(),
    }
}

fn our_batch(codec: Codec, records: &[Record]) -> Bytes {
    let mut builder = BatchBuilder::new(codec)
        .base_offset(Offset(40))
        .leader_epoch(LeaderEpoch(7))
        .transactional(true)
        .producer(ProducerId(9), ProducerEpoch(2), 100);
    for record in records {
        builder.append_record(record).unwrap();
    }
    builder.build().unwrap()
}

fn their_batch(codec: Codec, records: &[theirs::Record]) -> Bytes {
    let options = theirs::RecordEncodeOptions { version: 2, compression: their_codec(codec) };
    let mut bytes = BytesMut::new();
    theirs::RecordBatchEncoder::encode(&mut bytes, records, &options).unwrap();
    bytes.freeze()
}

fn any_bytes() -> impl Strategy<Value = Option<Bytes>> {
    option::of(collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from))
}

/// Consecutive offsets from 40; header keys differ, as the other side keeps them in a map.
fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let headers = collection::btree_map("[a-z]{1,8}", any_bytes(), 0..4).prop_map(|headers| {
        let header = |(key, value): (String, _)| Header { key: key.into(), value };
        headers.into_iter().map(header).collect::<Vec<_>>()
    });
    collection::vec((0..1_i64 << 45, any_bytes(), any_bytes(), headers), 1..30).prop_map(|all| {
        let place = |(offset, (timestamp, key, value, headers))| Record {
            offset: Offset(offset),
            timestamp: Timestamp(timestamp),
            key,
            value,
            headers,
        };
        (40..).zip(all).map(place).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn both_make_the_same_bytes_of_the_same_records(mut records in any_records()) {
        // The base timestamp is the first one with us, as in Java, but the least one with them.
        if let Some(least) = records.iter().map(|record| record.timestamp).min() {
            records[0].timestamp = least;
        }
        let ours = our_batch(Codec::None, &records);
        let theirs: Vec<_> = (0..).zip(&records).map(|(at, record)| their_record(at, record)).collect();
        prop_assert_eq!(ours, their_batch(Codec::None, &theirs));
    }

    #[test]
    fn each_reads_what_the_other_compressed(records in any_records(), codec in 0..5_u8) {
        let codec = Codec::from_id(codec).unwrap();
        let theirs: Vec<_> = (0..).zip(&records).map(|(at, record)| their_record(at, record)).collect();

        let batch = Batch::split(&mut their_batch(codec, &theirs)).unwrap();
        let ours: Result<Vec<_>, _> = batch.records(InflateLimit::default()).unwrap().collect();
        prop_assert_eq!(ours.unwrap(), records.clone());

        let read = theirs::RecordBatchDecoder::decode(&mut our_batch(codec, &records)).unwrap();
        prop_assert_eq!(read.records, theirs);
    }
}
