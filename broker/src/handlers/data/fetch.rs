//! Fetch v4-18.
//!
//! v4 adds the isolation level, v5 the log start offset, v7 incremental sessions, v9 leader epochs,
//! v10 admits zstd, v11 a rack, v12 the last fetched epoch, v13 names topics by id, v15 moves the
//! replica id, v16 tells the leader's address with a stale epoch, v18 the follower's high
//! watermark.
//!
//! Left out: followers (a replica id is refused with CLUSTER_AUTHORIZATION_FAILED) and preferred
//! replicas.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use milena_protocol::{
    ErrorCode, Uuid,
    messages::data::fetch::{
        AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, FetchResponse,
        FetchTopic, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
    },
    wire::{Records, Str},
};
use milena_storage::index;

use crate::{
    config::Compression,
    handlers::{Context, error::Coded},
    replica::{
        EpochError, Isolation, Partition, TopicRef,
        fetch::{self, FetchError, Found, Served, Terms},
        fetch_session::{Ask, Interest, Wants},
    },
    services::Services,
};

/// Waits until there is enough to send, at most as long as the client allows.
pub async fn fetch(services: &Arc<Services>, cx: &Context, request: FetchRequest) -> FetchResponse {
    if request.replica_id >= 0 || request.replica_state.replica_id >= 0 {
        return refused_whole(&request, cx.version, ErrorCode::ClusterAuthorizationFailed);
    }
    let now = services.clock.monotonic();
    let terms = terms(services, &request);
    let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let deadline = (wait > 0).then(|| now + Duration::from_millis(wait));

    let ask = ask(services, cx.version, terms.isolation, request);
    let sessions = &services.fetch_sessions;
    let mut fetch = match sessions.begin(ask, now) {
        Ok(fetch) => fetch,
        Err(error) => {
            return FetchResponse { error_code: error.code(), ..FetchResponse::default() };
        }
    };
    match fetch::gather(&services.replicas, &mut fetch, terms, deadline).await {
        Ok(served) => {
            let mut response = respond(services.identity.node_id, cx, terms.isolation, served);
            response.session_id =
                sessions.end(fetch, services.clock.monotonic(), || services.rng.next_u64());
            response
        }
        Err(error) => FetchResponse { error_code: error.code(), ..FetchResponse::default() },
    }
}

/// The response as a whole, capped by what the broker allows.
fn terms(services: &Services, request: &FetchRequest) -> Terms {
    let allowed = services.config.load().fetch_max_bytes;
    let max_bytes = usize::try_from(request.max_bytes.min(allowed)).unwrap_or(0);
    Terms {
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        isolation: Isolation::from_wire(request.isolation_level),
    }
}

fn ask(
    services: &Services,
    version: i16,
    isolation: Isolation,
    request: FetchRequest,
) -> Ask<Weak<Partition>> {
    let by_id = version >= FIRST_WITH_TOPIC_IDS;
    let partitions = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut wanted = Vec::with_capacity(partitions);
    for FetchTopic { topic, topic_id, partitions } in request.topics {
        let reference = topic_ref(by_id, topic_id, &topic);
        let found = services.replicas.topic(&reference).ok();
        for partition in partitions {
            let found = found.as_ref().and_then(|it| it.partition(partition.partition).ok());
            let found = found.as_ref().map(Arc::downgrade);
            wanted.push(interest(reference.clone(), &partition, found));
        }
    }
    let mut forgotten = Vec::new();
    for topic in request.forgotten_topics_data {
        let reference = topic_ref(by_id, topic.topic_id, &topic.topic);
        forgotten.extend(topic.partitions.into_iter().map(|index| (reference.clone(), index)));
    }
    let FetchRequest { session_id, session_epoch, .. } = request;
    Ask { session_id, session_epoch, by_id, isolation, wanted, forgotten }
}

/// A topic as the request names it, in memory of its own: a session outlives the request.
fn topic_ref(by_id: bool, id: Uuid, name: &Str) -> TopicRef {
    if by_id { TopicRef::Id(id) } else { TopicRef::Name(name.detached()) }
}

fn interest(
    topic: TopicRef,
    asked: &FetchPartition,
    partition: Option<Weak<Partition>>,
) -> Interest<Weak<Partition>> {
    let wants = Wants {
        fetch_offset: asked.fetch_offset,
        max_bytes: asked.partition_max_bytes,
        current_leader_epoch: asked.current_leader_epoch,
        last_fetched_epoch: asked.last_fetched_epoch,
    };
    Interest::new(topic, asked.partition, wants, partition)
}

/// Groups what was served by topic, in the order in which it was served.
fn respond(node_id: i32, cx: &Context, isolation: Isolation, served: Vec<Served>) -> FetchResponse {
    let mut response = FetchResponse::default();
    let mut current = None;
    for Served { topic, index, partition, outcome, .. } in served {
        let partition = partition.as_deref();
        let data = match outcome {
            Ok(_) if partition.is_some_and(|it| needs_newer_client(it, cx.version)) => {
                refused(index, ErrorCode::UnsupportedCompressionType)
            }
            Ok(found) => answered(index, isolation, found),
            Err(error) => {
                let mut data = refused(index, code_in(&error, cx.version));
                if let (FetchError::Epoch(EpochError::Fenced), Some(partition)) = (error, partition)
                    && cx.version >= FIRST_WITH_LEADER_HINTS
                {
                    let leader_epoch = partition.leader_epoch().0;
                    data.current_leader = LeaderIdAndEpoch { leader_id: node_id, leader_epoch };
                    response.node_endpoints = vec![endpoint(node_id, cx)];
                }
                data
            }
        };
        if current.as_ref() != Some(&topic) {
            response.responses.push(topic_response(&topic));
            current = Some(topic);
        }
        if let Some(topic) = response.responses.last_mut() {
            topic.partitions.push(data);
        }
    }
    response
}

fn topic_response(topic: &TopicRef) -> FetchableTopicResponse {
    let (topic, topic_id) = match topic {
        TopicRef::Name(name) => (name.clone(), Uuid::ZERO),
        TopicRef::Id(id) => (Str::default(), *id),
    };
    FetchableTopicResponse { topic, topic_id, partitions: Vec::new() }
}

fn answered(partition_index: i32, isolation: Isolation, found: Found) -> PartitionData {
    let diverging =
        found.diverging.map(|last| EpochEndOffset { epoch: last.epoch.0, end_offset: last.end.0 });
    PartitionData {
        partition_index,
        high_watermark: found.high_watermark.0,
        last_stable_offset: found.last_stable_offset.0,
        log_start_offset: found.log_start.0,
        aborted_transactions: (isolation == Isolation::ReadCommitted)
            .then(|| found.aborted.iter().map(aborted).collect()),
        diverging_epoch: diverging.unwrap_or_default(),
        records: Some(found.records),
        ..PartitionData::default()
    }
}

fn aborted(transaction: &index::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction { producer_id: transaction.producer.0, first_offset: transaction.first.0 }
}

fn refused(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: NO_OFFSET,
        records: Some(Records::new()),
        ..PartitionData::default()
    }
}

/// An answer to a request that is wrong as a whole. Before v13 clients look at the partitions.
fn refused_whole(request: &FetchRequest, version: i16, error_code: ErrorCode) -> FetchResponse {
    let topics = request.topics.iter().filter(|_| version < FIRST_WITH_TOPIC_IDS);
    let responses = topics.map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|it| refused(it.partition, error_code)).collect(),
    });
    FetchResponse { error_code, responses: responses.collect(), ..FetchResponse::default() }
}

/// Clients before v6 do not know KAFKA_STORAGE_ERROR and would not retry.
fn code_in(error: &FetchError, version: i16) -> ErrorCode {
    match error.code() {
        ErrorCode::KafkaStorageError if version < FIRST_WITH_STORAGE_ERROR => {
            ErrorCode::NotLeaderOrFollower
        }
        code => code,
    }
}

/// Whether the topic's records are written with a codec that clients of this version lack.
fn needs_newer_client(partition: &Partition, version: i16) -> bool {
    version < FIRST_WITH_ZSTD && partition.config().compression == Compression::Zstd
}

fn endpoint(node_id: i32, cx: &Context) -> NodeEndpoint {
    let endpoint = cx.advertised_endpoint();
    NodeEndpoint { node_id, host: endpoint.host.into(), port: i32::from(endpoint.port), rack: None }
}

const FIRST_WITH_STORAGE_ERROR: i16 = 6;
const FIRST_WITH_ZSTD: i16 = 10;
const FIRST_WITH_TOPIC_IDS: i16 = 13;
const FIRST_WITH_LEADER_HINTS: i16 = 16;
const NO_OFFSET: i64 = -1;
