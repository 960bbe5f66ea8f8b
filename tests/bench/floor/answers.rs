//! As much of the protocol as the load generator speaks: what does not change with the load goes
//! through the codec; a produce and a fetch are taken apart and answered at fixed places.

use std::ops::Range;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use milena_protocol::{
    Uuid,
    messages::{
        ApiKey, ApiVersionsResponse, FetchRequest, MetadataRequest, MetadataResponse,
        cluster::{
            api_versions::ApiVersion,
            metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        },
    },
    wire::{
        Chunk, FrameWriter, Message,
        header::{RequestHeader, ResponseHeader},
    },
};

pub(crate) enum Ask {
    /// The answer is there.
    Answered(Vec<u8>),
    Produce(ProduceAsk),
    Fetch(FetchAsk),
}

/// A partition, by the id of its topic.
pub(crate) type Key = ([u8; 16], i32);

pub(crate) struct ProduceAsk {
    correlation_id: [u8; 4],
    pub(crate) partition: Key,
    /// `acks=all`
    pub(crate) waits_for_sync: bool,
    /// Where in the frame.
    pub(crate) batch: Range<usize>,
}

pub(crate) struct FetchAsk {
    correlation_id: [u8; 4],
    pub(crate) partition: Key,
    pub(crate) offset: i64,
    pub(crate) max_bytes: u64,
}

pub(crate) fn parse(frame: &[u8], port: u16) -> anyhow::Result<Ask> {
    let (key, version) = (i16::from_be_bytes(number(frame, 0)?), number(frame, 2)?);
    match (ApiKey::try_from(key), i16::from_be_bytes(version)) {
        (Ok(ApiKey::Produce), PRODUCE) => produce(frame).map(Ask::Produce),
        (Ok(ApiKey::Fetch), FETCH) => fetch(frame).map(Ask::Fetch),
        (Ok(ApiKey::ApiVersions), version) => versions(frame, version).map(Ask::Answered),
        (Ok(ApiKey::Metadata), METADATA) => metadata(frame, port).map(Ask::Answered),
        _ => bail!("api {key} is not for a floor"),
    }
}

fn produce(frame: &[u8]) -> anyhow::Result<ProduceAsk> {
    let client_id = usize::from(u16::from_be_bytes(number(frame, CLIENT_ID_AT)?));
    // The header's tagged fields, no transactional id, acks, timeout, one topic, its id.
    let body = CLIENT_ID_AT + 2 + client_id + 1;
    ensure!(number(frame, body)? == [0], "a floor knows no transactions");
    let acks = i16::from_be_bytes(number(frame, body + 1)?);
    ensure!(number(frame, body + 7)? == [ONE], "one topic");
    let topic: [u8; 16] = number(frame, body + 8)?;
    ensure!(number(frame, body + 24)? == [ONE], "one partition");
    let index = i32::from_be_bytes(number(frame, body + 25)?);
    let mut length = 0;
    let mut at = body + 29;
    for shift in (0..35).step_by(7) {
        let [byte] = number(frame, at)?;
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Ok(ProduceAsk {
        correlation_id: number(frame, 4)?,
        partition: (topic, index),
        waits_for_sync: acks == -1,
        batch: at..at + length.saturating_sub(1),
    })
}

pub(crate) fn produced(ask: &ProduceAsk, base_offset: i64) -> Vec<u8> {
    let (topic, index) = ask.partition;
    let mut answer = Vec::with_capacity(96);
    answer.extend_from_slice(&[0; 4]);
    answer.extend_from_slice(&ask.correlation_id);
    answer.extend_from_slice(&[0, ONE]);
    answer.extend_from_slice(&topic);
    answer.push(ONE);
    answer.extend_from_slice(&index.to_be_bytes());
    answer.extend_from_slice(&[0; 2]);
    answer.extend_from_slice(&base_offset.to_be_bytes());
    answer.extend_from_slice(&(-1_i64).to_be_bytes());
    answer.extend_from_slice(&[0; 8]);
    // No record errors, no message, tagged fields of partition and topic, throttle, tagged fields.
    answer.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0]);
    with_length(answer, 0)
}

fn fetch(frame: &[u8]) -> anyhow::Result<FetchAsk> {
    let mut body = Bytes::copy_from_slice(frame);
    RequestHeader::decode(&mut body)?;
    let request = FetchRequest::decode_body(body, FETCH)?;
    let topic = request.topics.first().context("one topic")?;
    let partition = topic.partitions.first().context("one partition")?;
    Ok(FetchAsk {
        correlation_id: number(frame, 4)?,
        partition: (topic.topic_id.0, partition.partition),
        offset: partition.fetch_offset,
        max_bytes: u64::try_from(request.max_bytes)?,
    })
}

/// All of the answer that stands before the records; [`FETCH_ENDS`] follows them.
pub(crate) fn fetched(ask: &FetchAsk, high_watermark: i64, records: u64) -> Vec<u8> {
    let (topic, index) = ask.partition;
    let mut answer = Vec::with_capacity(128);
    answer.extend_from_slice(&[0; 4]);
    answer.extend_from_slice(&ask.correlation_id);
    // Tagged fields, throttle, error, session, one topic.
    answer.extend_from_slice(&[0; 11]);
    answer.push(ONE);
    answer.extend_from_slice(&topic);
    answer.push(ONE);
    answer.extend_from_slice(&index.to_be_bytes());
    answer.extend_from_slice(&[0; 2]);
    answer.extend_from_slice(&high_watermark.to_be_bytes());
    answer.extend_from_slice(&high_watermark.to_be_bytes());
    answer.extend_from_slice(&[0; 8]);
    // No list of aborted transactions, no preferred replica.
    answer.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0xff]);
    let mut length = records + 1;
    loop {
        let [.., low] = length.to_be_bytes();
        length >>= 7;
        if length == 0 {
            answer.push(low);
            break;
        }
        answer.push(low | 0x80);
    }
    with_length(answer, records + FETCH_ENDS.len() as u64)
}

fn versions(frame: &[u8], version: i16) -> anyhow::Result<Vec<u8>> {
    let of = |key: ApiKey, min_version, max_version| ApiVersion {
        api_key: key.number(),
        min_version,
        max_version,
    };
    let response = ApiVersionsResponse {
        api_keys: vec![
            of(ApiKey::Produce, PRODUCE, PRODUCE),
            of(ApiKey::Fetch, FETCH, FETCH),
            of(ApiKey::Metadata, METADATA, METADATA),
            of(ApiKey::ApiVersions, 0, version),
        ],
        ..ApiVersionsResponse::default()
    };
    encode(frame, &response, version)
}

/// Every topic exists, with the one partition that brokers make here, too.
fn metadata(frame: &[u8], port: u16) -> anyhow::Result<Vec<u8>> {
    let mut body = Bytes::copy_from_slice(frame);
    RequestHeader::decode(&mut body)?;
    let request = MetadataRequest::decode_body(body, METADATA)?;
    let partition =
        MetadataResponsePartition { leader_id: NODE, ..MetadataResponsePartition::default() };
    let topic = |name: &[u8]| {
        let mut id = [1; 16];
        id.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Uuid(id)
    };
    let topics = request.topics.unwrap_or_default().into_iter().map(|it| MetadataResponseTopic {
        topic_id: topic(it.name.as_deref().unwrap_or_default().as_bytes()),
        name: it.name,
        partitions: vec![partition.clone()],
        ..MetadataResponseTopic::default()
    });
    let response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: NODE,
            host: "127.0.0.1".into(),
            port: port.into(),
            rack: None,
        }],
        controller_id: NODE,
        topics: topics.collect(),
        ..MetadataResponse::default()
    };
    encode(frame, &response, METADATA)
}

fn encode<R: Message>(frame: &[u8], response: &R, version: i16) -> anyhow::Result<Vec<u8>> {
    let mut writer = FrameWriter::new();
    let correlation_id = i32::from_be_bytes(number(frame, 4)?);
    ResponseHeader { correlation_id }.encode(&mut writer, R::KEY, version);
    response.encode(&mut writer, R::version(version));
    let mut bytes = Vec::new();
    for chunk in writer.finish()?.chunks() {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(part),
            Chunk::Range(range) => bail!("{range:?} in an answer"),
        }
    }
    Ok(bytes)
}

/// The bytes at a place, as many as the type says.
pub(crate) fn number<const N: usize>(bytes: &[u8], at: usize) -> anyhow::Result<[u8; N]> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().context("a whole frame")
}

fn with_length(mut answer: Vec<u8>, more: u64) -> Vec<u8> {
    let length = answer.len() as u64 - 4 + more;
    let [_, _, _, _, length @ ..] = length.to_be_bytes();
    answer.splice(..4, length);
    answer
}

/// Tagged fields that end partition, topic and answer, none of which there are.
pub(crate) const FETCH_ENDS: [u8; 3] = [0; 3];

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const METADATA: i16 = 12;
const CLIENT_ID_AT: usize = 8;
/// A compact array of one element.
const ONE: u8 = 2;
const NODE: i32 = 1;
