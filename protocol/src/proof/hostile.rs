//! Bytes that lie are refused, at no cost beyond their own size.

use bytes::{BufMut, Bytes, BytesMut};

use super::subject;
use crate::{
    messages::{FetchRequest, MetadataRequest, MetadataResponse},
    state::{
        groups::GroupKey,
        metadata::{MetadataRecord, TopicRecord},
    },
    wire::{
        ARRAY_ELEMENTS_MAX, FrameWriter, Malformed, Message, Record, Records, Request,
        STR_BYTES_MAX, Str, Version, Wire,
        arbitrary::{Arbitrary, Seed},
        header::RequestHeader,
        tagged, varint,
    },
};

const CLASSIC: Version = Version { number: 0, flexible: false };
const FLEXIBLE: Version = Version { number: 0, flexible: true };

fn decode<T: Wire>(bytes: &[u8], v: Version) -> Result<T, Malformed> {
    T::decode(&mut Bytes::copy_from_slice(bytes), v)
}

#[test]
fn a_length_below_null_is_refused() {
    let minus_2 = (-2_i32).to_be_bytes();
    let refused = Malformed::NegativeLength(-2);
    assert_eq!(decode::<Vec<i32>>(&minus_2, CLASSIC), Err(refused));
    assert_eq!(decode::<Option<Vec<i32>>>(&minus_2, CLASSIC), Err(refused));
    assert_eq!(decode::<Bytes>(&minus_2, CLASSIC), Err(refused));
    assert_eq!(decode::<Records>(&minus_2, CLASSIC), Err(refused));
    assert_eq!(decode::<Str>(&[0xff, 0xfe], CLASSIC), Err(refused));
}

#[test]
fn null_is_refused_where_a_value_must_be() {
    let minus_1 = (-1_i32).to_be_bytes();
    let refused = Malformed::UnexpectedNull;
    assert_eq!(decode::<Vec<i32>>(&minus_1, CLASSIC), Err(refused));
    assert_eq!(decode::<Bytes>(&minus_1, CLASSIC), Err(refused));
    assert_eq!(decode::<Str>(&[0xff, 0xff], CLASSIC), Err(refused));
    assert_eq!(decode::<Str>(&[0x00], FLEXIBLE), Err(refused));
    assert_eq!(decode::<Option<Vec<i32>>>(&minus_1, CLASSIC), Ok(None));
    assert_eq!(decode::<Option<Str>>(&[0x00], FLEXIBLE), Ok(None));
}

#[test]
fn null_is_refused_in_versions_that_do_not_have_it() {
    let all_topics = Bytes::from_static(&[0xff; 4]);
    assert_eq!(MetadataRequest::decode_body(all_topics.clone(), 0), Err(Malformed::UnexpectedNull));
    assert_eq!(MetadataRequest::decode_body(all_topics, 1).unwrap().topics, None);
}

#[test]
fn nothing_becomes_empty_in_versions_without_null() {
    let mut dst = FrameWriter::new();
    MetadataRequest { topics: None, ..Default::default() }
        .encode(&mut dst, MetadataRequest::version(0));
    assert_eq!(dst.into_bytes(), [0; 4].as_slice());
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    assert_eq!(decode::<Str>(&[0, 2, 0xc3, 0x28], CLASSIC), Err(Malformed::NotUtf8));
    assert_eq!(decode::<Str>(&[3, 0xc3, 0x28], FLEXIBLE), Err(Malformed::NotUtf8));
}

#[test]
fn text_is_never_longer_than_a_classic_length_can_say() {
    let long = "é".repeat(STR_BYTES_MAX);
    let refused = Malformed::TooLong { length: long.len(), max: STR_BYTES_MAX };
    let mut dst = FrameWriter::new();
    varint::write(&mut dst, u32::try_from(long.len() + 1).unwrap());
    dst.put_slice(long.as_bytes());
    assert_eq!(decode::<Str>(&dst.into_bytes(), FLEXIBLE), Err(refused));

    for v in [CLASSIC, FLEXIBLE] {
        let mut dst = FrameWriter::new();
        Str::from(long.as_str()).encode(&mut dst, v);
        let cut: Str = decode(&dst.into_bytes(), v).unwrap();
        assert_eq!(cut.len(), STR_BYTES_MAX - 1, "cut between two characters");
    }
}

#[test]
fn a_count_above_the_bytes_left_is_refused() {
    let mut bytes = BytesMut::new();
    bytes.put_i32(9);
    bytes.put_slice(&[0; 8]);
    let refused = Malformed::Truncated { needed: 9, left: 8 };
    assert_eq!(decode::<Vec<i8>>(&bytes, CLASSIC), Err(refused));
}

#[test]
fn a_count_above_the_limit_is_refused_though_the_bytes_are_there() {
    let mut bytes = BytesMut::new();
    bytes.put_i32(i32::try_from(ARRAY_ELEMENTS_MAX + 1).unwrap());
    bytes.resize(2 * ARRAY_ELEMENTS_MAX, 0);
    let refused = Malformed::TooLong { length: ARRAY_ELEMENTS_MAX + 1, max: ARRAY_ELEMENTS_MAX };
    assert_eq!(decode::<Vec<i8>>(&bytes, CLASSIC), Err(refused));
}

#[test]
fn the_highest_counts_are_refused() {
    let highest = usize::try_from(i32::MAX).unwrap();
    let refused = Malformed::TooLong { length: highest, max: ARRAY_ELEMENTS_MAX };
    let mut body = BytesMut::new();
    body.put_slice(&[0; 17]);
    body.put_i32(i32::MAX);
    assert_eq!(FetchRequest::decode_body(body.freeze(), 4), Err(refused));
    let compact = decode::<Vec<i8>>(&[0xff, 0xff, 0xff, 0xff, 0x0f], FLEXIBLE);
    assert!(matches!(compact, Err(Malformed::TooLong { .. })), "{compact:?}");
}

#[test]
fn more_tagged_fields_than_the_limit_are_refused() {
    let mut dst = FrameWriter::new();
    varint::write(&mut dst, u32::try_from(tagged::FIELDS_MAX + 1).unwrap());
    dst.put_slice(&[0; 3 * tagged::FIELDS_MAX]);
    let refused = Malformed::TooLong { length: tagged::FIELDS_MAX + 1, max: tagged::FIELDS_MAX };
    assert_eq!(tagged::skip(&mut dst.into_bytes()), Err(refused));
}

#[test]
fn a_tagged_field_longer_than_the_rest_is_refused() {
    let refused = Malformed::Truncated { needed: 5, left: 1 };
    assert_eq!(tagged::skip(&mut Bytes::from_static(&[1, 0, 5, 0])), Err(refused));
}

#[test]
fn a_tagged_field_with_more_than_its_value_is_refused() {
    // The cluster id "a" of a fetch request, and a byte too many.
    let mut dst = FrameWriter::new();
    FetchRequest::default().encode(&mut dst, FetchRequest::version(12));
    let mut body = BytesMut::from(dst.into_bytes());
    body.truncate(body.len() - 1);
    body.put_slice(&[1, 0, 3, 2, b'a', 0]);
    let outcome = FetchRequest::decode_body(body.freeze(), 12);
    assert_eq!(outcome, Err(Malformed::Trailing { bytes: 1 }));
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    for subject in subject::all() {
        for v in subject.versions().filter(|v| v.flexible) {
            let known = subject.encode_default(v);
            let mut bytes = BytesMut::from(known.as_ref());
            // The section at the end is the outermost structure's, and empty. One field with a tag
            // that nothing has takes its place.
            bytes.truncate(bytes.len() - 1);
            bytes.put_slice(&[1, 99, 2, 0xab, 0xcd]);
            let outcome = subject.decode(&mut bytes.freeze(), v);
            assert_eq!(outcome, Ok(known), "{} {v:?}", subject.name);
        }
    }
}

#[test]
fn bytes_after_a_request_are_passed_over() {
    let request = MetadataRequest { allow_auto_topic_creation: true, ..Default::default() };
    let mut body = FrameWriter::new();
    request.encode(&mut body, MetadataRequest::version(13));
    body.put_slice(&[0, 0, 0]);
    assert_eq!(MetadataRequest::decode_request(body.into_bytes(), 13), Ok(request));
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut seed = Seed(3);
    let mut body = FrameWriter::new();
    let v = MetadataResponse::version(12);
    let value: MetadataResponse = Arbitrary::arbitrary(&mut seed, v);
    value.encode(&mut body, v);
    body.put_slice(&[0, 0]);
    let outcome = MetadataResponse::decode_body(body.into_bytes(), 12);
    assert_eq!(outcome, Err(Malformed::Trailing { bytes: 2 }));
}

#[test]
fn versions_out_of_range_are_refused() {
    let refused = |number| Err(Malformed::UnknownVersion(number));
    assert_eq!(FetchRequest::decode_body(Bytes::new(), 3), refused(3));
    assert_eq!(FetchRequest::decode_body(Bytes::new(), 19), refused(19));
    let record = TopicRecord::decode_body(Bytes::new(), -1);
    assert_eq!(record, Err(Malformed::UnknownVersion(-1)));
}

/// Valid encodings with a few bytes changed, taken away or put in: whatever comes out, nothing
/// panics, and what was understood is written and understood again.
#[test]
fn mutations_never_panic() {
    let mut seed = Seed(4);
    for subject in subject::all() {
        for v in subject.versions() {
            for _ in 0..MUTATIONS {
                let mut bytes = subject.encode_arbitrary(&mut seed, v).to_vec();
                mutate(&mut seed, &mut bytes);
                let Ok(understood) = subject.decode(&mut bytes.into(), v) else { continue };
                let again = subject.decode(&mut understood.clone(), v);
                assert_eq!(again, Ok(understood), "{} {v:?}", subject.name);
            }
        }
    }
}

#[test]
fn noise_never_panics() {
    let mut seed = Seed(5);
    for subject in subject::all() {
        for v in subject.versions() {
            for _ in 0..MUTATIONS {
                let length = seed.below(64);
                let _ = subject.decode(&mut seed.bytes(length).into(), v);
            }
        }
    }
    for _ in 0..100 * MUTATIONS {
        let length = seed.below(64);
        let _ = RequestHeader::decode(&mut seed.bytes(length).into());
        let _ = MetadataRecord::decode(seed.bytes(length).into());
        let _ = GroupKey::decode(seed.bytes(length).into());
    }
}

fn mutate(seed: &mut Seed, bytes: &mut Vec<u8>) {
    for _ in 0..=seed.below(3) {
        let at = seed.below(bytes.len() + 1);
        let drawn = seed.bytes(1)[0];
        let telling = [0x00, 0x01, 0x7f, 0x80, 0xff, drawn][seed.below(6)];
        match seed.below(3) {
            0 => bytes.insert(at, telling),
            _ if at == bytes.len() => {}
            1 => bytes[at] = telling,
            _ => drop(bytes.remove(at)),
        }
    }
}

const MUTATIONS: usize = 100;
