//! Batches as clients make them, cut short, flipped and rebuilt.

use bytes::Bytes;
use proptest::{collection, option, prelude::*};

use super::*;
use crate::{
    compression::{Codec, CodecError, Compression, InflateLimit},
    ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp},
};

fn record(offset: i64, key: &'static str, value: &'static str) -> Record {
    Record {
        offset: Offset(offset),
        timestamp: Timestamp(1_000 + offset),
        key: Some(key.into()),
        value: Some(value.into()),
        headers: vec![
            Header { key: "trace".into(), value: Some("abc".into()) },
            Header { key: "none".into(), value: None },
        ],
    }
}

fn sample(codec: Codec) -> (Vec<Record>, Bytes) {
    let mut records = vec![record(40, "a", "one"), record(41, "b", "two"), record(42, "", "")];
    records[1].key = None;
    records[2].value = None;
    records[2].headers.clear();
    let mut builder = BatchBuilder::new(codec)
        .base_offset(Offset(40))
        .leader_epoch(LeaderEpoch(7))
        .producer(ProducerId(9), ProducerEpoch(2), 100);
    for record in &records {
        builder.append_record(record).unwrap();
    }
    (records, builder.build().unwrap())
}

fn parse(bytes: &Bytes) -> Result<Batch, BatchError> {
    let mut src = bytes.clone();
    let batch = Batch::split(&mut src)?;
    assert!(src.is_empty());
    Ok(batch)
}

fn read(batch: &Batch) -> Result<Vec<Record>, BatchError> {
    batch.records(InflateLimit::default())?.collect()
}

/// `header` in front of `body`, sealed so that only the records can be found wrong.
fn forged(header: BatchHeader, body: &[u8]) -> Batch {
    let mut bytes = builder::header_room(body.len());
    bytes.extend_from_slice(body);
    parse(&builder::seal(header, bytes).unwrap().1).unwrap()
}

fn header_of(record_count: i32) -> BatchHeader {
    let (_, bytes) = sample(Codec::None);
    BatchHeader { record_count, last_offset_delta: 9, ..BatchHeader::read(&bytes).unwrap() }
}

#[test]
fn records_of_every_codec_are_read_as_they_were_written() {
    for codec in Codec::ALL {
        let (records, bytes) = sample(codec);
        let batch = parse(&bytes).unwrap();
        assert_eq!(batch.compression(), Ok(codec));
        assert_eq!(read(&batch), Ok(records));
        assert_eq!(batch.bytes(), &bytes);
        assert_eq!(BatchHeader::read(&bytes).as_ref(), Ok(batch.header()));
    }
}

#[test]
fn the_header_says_what_the_builder_was_told() {
    let (_, bytes) = sample(Codec::None);
    let batch = parse(&bytes).unwrap();
    let expected = BatchHeader {
        base_offset: Offset(40),
        length: i32::try_from(bytes.len() - LENGTH_PREFIX_BYTES).unwrap(),
        leader_epoch: LeaderEpoch(7),
        checksum: batch.header().checksum,
        attributes: Attributes(0),
        last_offset_delta: 2,
        base_timestamp: Timestamp(1_040),
        max_timestamp: Timestamp(1_042),
        producer_id: ProducerId(9),
        producer_epoch: ProducerEpoch(2),
        base_sequence: 100,
        record_count: 3,
    };
    assert_eq!(batch.header(), &expected);
    assert_eq!((batch.last_offset(), batch.last_sequence()), (Offset(42), 102));
    assert_eq!(expected.to_bytes(), bytes[..HEADER_BYTES]);
}

#[test]
fn flags_and_times_survive() {
    let mut builder = BatchBuilder::new(Codec::Zstd)
        .transactional(true)
        .delete_horizon(Timestamp(5_000))
        .log_append_time(Timestamp(9_000));
    builder.append(Timestamp(1_000), None, Some(b"v"), &[]).unwrap();
    let batch = parse(&builder.build().unwrap()).unwrap();
    assert!(batch.is_transactional() && !batch.is_control());
    assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.delete_horizon(), Some(Timestamp(5_000)));
    assert_eq!(batch.max_timestamp(), Timestamp(9_000));
    assert_eq!(read(&batch).unwrap()[0].timestamp, Timestamp(9_000));
}

#[test]
fn sequences_wrap_to_zero() {
    let mut builder =
        BatchBuilder::new(Codec::None).producer(ProducerId(1), ProducerEpoch(0), i32::MAX);
    for _ in 0..3 {
        builder.append(Timestamp(0), None, None, &[]).unwrap();
    }
    assert_eq!(parse(&builder.build().unwrap()).unwrap().last_sequence(), 1);
}

#[test]
fn a_compacted_batch_keeps_its_offsets() {
    let mut builder =
        BatchBuilder::new(Codec::Gzip).base_offset(Offset(10)).last_offset(Offset(19));
    builder.append_record(&record(12, "k", "v")).unwrap();
    builder.append_record(&record(17, "k", "v")).unwrap();
    let batch = parse(&builder.build().unwrap()).unwrap();
    assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(10), Offset(19)));
    let offsets: Vec<_> = read(&batch).unwrap().iter().map(|record| record.offset.0).collect();
    assert_eq!(offsets, [12, 17]);

    let empty = BatchBuilder::new(Codec::Gzip)
        .base_offset(Offset(10))
        .last_offset(Offset(19))
        .max_timestamp(Timestamp(77));
    let batch = parse(&empty.build().unwrap()).unwrap();
    assert_eq!((batch.size(), batch.last_offset()), (HEADER_BYTES, Offset(19)));
    assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (Timestamp::NONE, Timestamp(77)));
    assert_eq!(read(&batch), Ok(vec![]));
}

#[test]
fn the_builder_refuses_what_no_batch_can_hold() {
    let mut builder = BatchBuilder::new(Codec::None).base_offset(Offset(10));
    let far = Offset(11 + i64::from(i32::MAX));
    for offset in [Offset(9), far] {
        let refused = BuildError::BadOffset { base: Offset(10), offset };
        let record = Record { offset, ..Record::default() };
        assert_eq!(builder.append_record(&record), Err(refused));
    }
    builder.append(Timestamp(i64::MIN), None, None, &[]).unwrap();
    let late = builder.append(Timestamp(0), None, None, &[]);
    assert_eq!(late, Err(BuildError::BadTimestamp(Timestamp(0))));
    assert_eq!(builder.record_count(), 1);
    assert_eq!(BatchBuilder::new(Codec::None).build(), Err(BuildError::Empty));
    let past = BatchBuilder::new(Codec::None).base_offset(Offset(i64::MAX));
    assert!(past.clone().append(Timestamp(0), None, None, &[]).is_err());
}

#[test]
fn split_takes_one_batch_after_the_other_and_leaves_a_truncated_one() {
    let (_, first) = sample(Codec::None);
    let (_, second) = sample(Codec::Lz4);
    let cut = second.len() - 1;
    let mut src = Bytes::from([&first[..], &second[..], &second[..cut]].concat());
    assert_eq!(Batch::split(&mut src).unwrap().bytes(), &first);
    assert_eq!(Batch::split(&mut src).unwrap().bytes(), &second);
    let truncated = BatchError::Truncated { have: cut, need: second.len() };
    assert_eq!(Batch::split(&mut src), Err(truncated.clone()));
    assert_eq!(src.len(), cut);
    let all: Vec<_> = Batch::split_all(src).collect();
    assert_eq!(all, [Err(truncated)]);
    assert_eq!(Batch::split_all(Bytes::new()).count(), 0);
}

#[test]
fn every_truncation_is_truncated() {
    for codec in Codec::ALL {
        let (_, bytes) = sample(codec);
        for cut in 0..bytes.len() {
            let error = Batch::split(&mut bytes.slice(..cut)).unwrap_err();
            assert!(matches!(error, BatchError::Truncated { have, .. } if have == cut), "{cut}");
        }
    }
}

#[test]
fn every_flipped_bit_is_found_unless_it_lies_outside_the_checksum() {
    for codec in Codec::ALL {
        let (records, bytes) = sample(codec);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let outside = matches!(bit / 8, 0..8 | 12..16);
            match Batch::split(&mut damaged.into()) {
                // A base offset may be anything but negative.
                Err(_) => assert!(!outside || bit == 7, "bit {bit}"),
                Ok(batch) => {
                    assert!(outside, "bit {bit}");
                    assert_eq!(read(&batch).map(|all| all.len()), Ok(records.len()));
                }
            }
        }
    }
}

#[test]
fn a_wrong_magic_length_or_count_is_named() {
    let (_, bytes) = sample(Codec::None);
    let with = |at: usize, patch: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[at..at + patch.len()].copy_from_slice(patch);
        Batch::split(&mut changed.into()).unwrap_err()
    };
    assert_eq!(with(16, &[1]), BatchError::BadMagic(1));
    assert_eq!(with(16, &[3]), BatchError::BadMagic(3));
    assert_eq!(with(8, &(-1_i32).to_be_bytes()), BatchError::BadLength(-1));
    assert_eq!(with(8, &48_i32.to_be_bytes()), BatchError::BadLength(48));
    assert!(matches!(with(57, &[0xff]), BatchError::BadChecksum { .. }));

    for (record_count, last_offset_delta) in [(-1, 9), (11, 9), (i32::MAX, 0)] {
        let header = BatchHeader { record_count, last_offset_delta, ..header_of(0) };
        let (_, mut lying) = builder::seal(header, builder::header_room(0)).unwrap();
        let expected = BatchError::BadCount { record_count, last_offset_delta };
        assert_eq!(BatchHeader::read(&lying), Err(expected.clone()));
        assert_eq!(Batch::split(&mut lying), Err(expected));
    }
    for (base_offset, last_offset_delta) in [(-1, 0), (0, -1), (i64::MAX, 0), (i64::MAX - 3, 9)] {
        let base = Offset(base_offset);
        let header = BatchHeader { base_offset: base, last_offset_delta, ..header_of(0) };
        let (_, mut lying) = builder::seal(header, builder::header_room(0)).unwrap();
        let expected = BatchError::BadOffsets { base_offset, last_offset_delta };
        assert_eq!(Batch::split(&mut lying), Err(expected));
    }
}

#[test]
fn a_count_that_lies_is_found_when_records_are_read() {
    let (_, bytes) = sample(Codec::None);
    let body = &bytes[HEADER_BYTES..];
    let more = BatchError::MissingRecords { declared: 4, found: 3 };
    assert_eq!(read(&forged(header_of(4), body)), Err(more));
    let third = body.len() - 8;
    let fewer = read(&forged(header_of(2), body)).unwrap_err();
    assert!(matches!(fewer, BatchError::TrailingBytes(n) if n < third), "{fewer}");
    assert_eq!(read(&forged(header_of(0), &[1, 2])), Err(BatchError::TrailingBytes(2)));
}

#[test]
fn lengths_inside_a_record_are_checked() {
    let faults = [
        // length, attributes, timestamp, offset, key, value, headers; numbers in zigzag order
        (&[0x80][..], RecordFault::BadVarint),
        (&[0x01], RecordFault::BadLength(-1)),
        (&[0x03], RecordFault::BadLength(-2)),
        (&[0x00], RecordFault::BadLength(0)),
        (&[14, 0, 0, 0, 1, 1, 0], RecordFault::BadLength(7)),
        (&[2, 0], RecordFault::BadVarint),
        (&[12, 0, 0, 0, 3, 1, 0], RecordFault::BadLength(-2)),
        (&[12, 0, 0, 0, 8, 1, 0], RecordFault::BadLength(4)),
        (&[12, 0, 0, 0, 1, 8, 0], RecordFault::BadLength(4)),
        (&[12, 0, 0, 0, 1, 1, 1], RecordFault::BadHeaderCount(-1)),
        (&[12, 0, 0, 0, 1, 1, 2], RecordFault::BadHeaderCount(1)),
        (&[16, 0, 0, 0, 1, 1, 2, 1, 1], RecordFault::BadLength(-1)),
        (&[16, 0, 0, 0, 1, 1, 2, 0, 9], RecordFault::BadLength(-5)),
        (&[14, 0, 0, 0, 1, 1, 0, 7], RecordFault::TrailingBytes(1)),
        (&[12, 0, 0, 1, 1, 1, 0], RecordFault::BadOffsetDelta(-1)),
        (&[12, 0, 0, 20, 1, 1, 0], RecordFault::BadOffsetDelta(10)),
    ];
    for (body, fault) in faults {
        let error = read(&forged(header_of(1), body));
        assert_eq!(error, Err(BatchError::Record { index: 0, fault }), "{body:?}");
    }
    let twice = [12, 0, 0, 0, 1, 1, 0].repeat(2);
    let fault = RecordFault::BadOffsetDelta(0);
    assert_eq!(read(&forged(header_of(2), &twice)), Err(BatchError::Record { index: 1, fault }));
    let overflow = BatchHeader { base_timestamp: Timestamp(i64::MAX), ..header_of(1) };
    let fault = RecordFault::BadTimestampDelta(1);
    assert_eq!(
        read(&forged(overflow, &[12, 0, 2, 0, 1, 1, 0])),
        Err(BatchError::Record { index: 0, fault })
    );
}

#[test]
fn the_iterator_ends_at_the_first_error() {
    let mut records = forged(header_of(3), &[1, 1]).records(InflateLimit::default()).unwrap();
    assert!(records.next().unwrap().is_err());
    assert!(records.next().is_none());
}

#[test]
fn a_bomb_in_a_batch_is_an_error_that_names_the_codec() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut builder = BatchBuilder::new(codec);
        builder.append(Timestamp(0), None, Some(&vec![0; 4 << 20]), &[]).unwrap();
        let batch = parse(&builder.build().unwrap()).unwrap();
        let limit = InflateLimit { bytes_max: 1 << 20, ratio_max: 1 << 20 };
        let compressed = batch.size() - HEADER_BYTES;
        let error = CodecError::TooLarge { codec, compressed, allowed: 1 << 20 };
        assert_eq!(batch.records(limit).unwrap_err(), BatchError::Codec(error));
    }
}

#[test]
fn a_codec_that_does_not_exist_is_named() {
    let header = BatchHeader { attributes: Attributes(6), ..header_of(0) };
    let batch = forged(header, &[]);
    assert_eq!(read(&batch), Err(BatchError::Codec(CodecError::Unknown { id: 6 })));
}

#[test]
fn a_patched_header_is_valid_in_front_of_the_old_body() {
    for codec in Codec::ALL {
        for time in [None, Some(Timestamp(123_456_789))] {
            let (records, bytes) = sample(codec);
            let batch = parse(&bytes).unwrap();
            let patch = HeaderPatch {
                base_offset: Offset(1 << 40),
                leader_epoch: LeaderEpoch(8),
                log_append_time: time,
            };
            let patched = [&patch.apply(&batch)[..], &bytes[HEADER_BYTES..]].concat();
            let patched = parse(&patched.into()).unwrap();
            assert_eq!(patched.header(), &patch.header(&batch));
            assert_eq!(patched.base_offset(), Offset(1 << 40));
            assert_eq!(patched.leader_epoch(), LeaderEpoch(8));
            let expected: Vec<_> = records
                .into_iter()
                .enumerate()
                .map(|(at, record)| Record {
                    offset: Offset((1 << 40) + i64::try_from(at).unwrap()),
                    timestamp: time.unwrap_or(record.timestamp),
                    ..record
                })
                .collect();
            assert_eq!(read(&patched), Ok(expected));
        }
    }
}

#[test]
fn an_append_time_on_an_empty_batch_is_valid() {
    let empty = BatchBuilder::new(Codec::None).last_offset(Offset(3)).build().unwrap();
    let patch = HeaderPatch {
        base_offset: Offset(5),
        leader_epoch: LeaderEpoch(1),
        log_append_time: Some(Timestamp(6)),
    };
    let patched = patch.apply(&parse(&empty).unwrap()).to_vec();
    assert_eq!(parse(&patched.into()).unwrap().max_timestamp(), Timestamp(6));
}

#[test]
fn recompression_changes_nothing_but_the_codec() {
    for from in Codec::ALL {
        let (_, source) = sample(from);
        let source = parse(&source).unwrap();
        for to in Codec::ALL {
            let rebuilt = source.recompress(to.into(), InflateLimit::default()).unwrap();
            assert_eq!(parse(rebuilt.bytes()).as_ref(), Ok(&rebuilt));
            assert_eq!(read(&rebuilt), read(&source));
            let same = BatchHeader {
                length: source.header().length,
                checksum: source.header().checksum,
                attributes: source.attributes(),
                ..*rebuilt.header()
            };
            assert_eq!(&same, source.header());
            assert_eq!(rebuilt.compression(), Ok(to));
        }
    }
}

#[test]
fn recompression_refuses_malformed_records() {
    let batch = forged(header_of(1), &[2, 0]);
    let error = batch.recompress(Compression::from(Codec::Lz4), InflateLimit::default());
    let fault = RecordFault::BadVarint;
    assert_eq!(error, Err(BuildError::Source(BatchError::Record { index: 0, fault })));
}

#[test]
fn markers_say_how_a_transaction_ended() {
    for commit in [true, false] {
        let marker = EndTxnMarker { commit, coordinator_epoch: 17 };
        let bytes = marker.batch(ProducerId(5), ProducerEpoch(3), Timestamp(99)).unwrap();
        let batch = parse(&bytes).unwrap();
        assert!(batch.is_control() && batch.is_transactional());
        assert_eq!((batch.producer_id(), batch.base_sequence()), (ProducerId(5), NO_SEQUENCE));
        let records = read(&batch).unwrap();
        assert_eq!(EndTxnMarker::read(&records[0]), Ok(Some(marker)));
        assert_eq!(records[0].key.as_deref(), Some(&[0, 0, 0, u8::from(commit)][..]));
        assert_eq!(records[0].value.as_deref(), Some(&[0, 0, 0, 0, 0, 17][..]));
    }
}

#[test]
fn other_control_records_are_told_apart() {
    for id in -1..=7 {
        let kind = ControlType::from_id(id);
        let batch = kind.batch(b"value", Offset(3), LeaderEpoch(4), Timestamp(5)).unwrap();
        let records = read(&parse(&batch).unwrap()).unwrap();
        assert_eq!(ControlKey::read(&records[0]), Ok(ControlKey { version: 0, kind }));
        assert_eq!(kind.id(), id);
        if id > 1 {
            assert_eq!(EndTxnMarker::read(&records[0]), Ok(None));
        }
    }
    for key in [&b""[..], b"\0\0\0", b"\xff\xff\0\x01"] {
        let bad = Record { key: Some(Bytes::from_static(key)), ..Record::default() };
        assert_eq!(ControlKey::read(&bad), Err(BatchError::BadControlRecord));
        assert_eq!(EndTxnMarker::read(&bad), Err(BatchError::BadControlRecord));
    }
    let no_value = Record { key: Some(Bytes::from_static(&[0, 0, 0, 1])), ..Record::default() };
    assert_eq!(EndTxnMarker::read(&no_value), Err(BatchError::BadControlRecord));
}

fn any_bytes() -> impl Strategy<Value = Option<Bytes>> {
    option::of(collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from))
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let header =
        ("[a-z]{0,8}", any_bytes()).prop_map(|(key, value)| Header { key: key.into(), value });
    let one = (1..5_i64, -9..1_i64 << 50, any_bytes(), any_bytes(), collection::vec(header, 0..4));
    collection::vec(one, 1..40).prop_map(|all| {
        let mut offset = -1;
        let place = |(step, timestamp, key, value, headers)| {
            offset += step;
            let (offset, timestamp) = (Offset(offset), Timestamp(timestamp));
            Record { offset, timestamp, key, value, headers }
        };
        all.into_iter().map(place).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_records_round_trip(records in any_records(), codec in 0..5_u8) {
        let mut builder = BatchBuilder::new(Codec::from_id(codec).unwrap());
        for record in &records {
            builder.append_record(record).unwrap();
        }
        let batch = parse(&builder.build().unwrap()).unwrap();
        prop_assert_eq!(read(&batch).unwrap(), records);
    }

    #[test]
    fn any_body_under_a_right_checksum_never_panics(
        body in collection::vec(any::<u8>(), 0..300),
        codec in 0..8_i16,
        count in 0..10,
    ) {
        let header = BatchHeader { attributes: Attributes(codec), ..header_of(count) };
        let _ = read(&forged(header, &body));
    }

    #[test]
    fn a_damaged_body_under_a_right_checksum_never_panics(
        records in any_records(),
        codec in 0..5_u8,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut builder = BatchBuilder::new(Codec::from_id(codec).unwrap());
        for record in &records {
            builder.append_record(record).unwrap();
        }
        let batch = parse(&builder.build().unwrap()).unwrap();
        let mut body = batch.body().to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let _ = read(&forged(*batch.header(), &body));
    }
}

#[test]
fn headers_of_a_record_take_a_bounded_amount_of_memory() {
    let with_headers = |count: usize| {
        let record = Record { headers: vec![Header::default(); count], ..Record::default() };
        let mut builder = BatchBuilder::new(Codec::Zstd);
        builder.append_record(&record).unwrap();
        read(&parse(&builder.build().unwrap()).unwrap())
    };
    assert_eq!(with_headers(record::HEADERS_MAX).unwrap()[0].headers.len(), record::HEADERS_MAX);
    let fault = RecordFault::BadHeaderCount(i32::try_from(record::HEADERS_MAX).unwrap() + 1);
    let refused = with_headers(record::HEADERS_MAX + 1).unwrap_err();
    assert_eq!(refused, BatchError::Record { index: 0, fault });
}
