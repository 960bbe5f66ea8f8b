//! Produce v3-13.
//!
//! v4 may answer KAFKA_STORAGE_ERROR, v5 adds the log start offset, v7 admits zstd, v8 names the
//! records at fault, v10 tells the new leader, v11 may answer TRANSACTION_ABORTABLE, v13 names
//! topics by id.
//!
//! v12 puts partitions into the transaction by writing to them. Left out: nobody is told of another
//! leader, as there is none.

mod transaction;

use std::{sync::Arc, time::Duration};

use milena_protocol::{
    ErrorCode, Offset, Timestamp, Uuid,
    compression::Codec,
    messages::data::produce::{
        BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
        ProduceResponse, TopicProduceData, TopicProduceResponse,
    },
    records::BatchHeader,
    wire::{Records, Str},
};
use milena_storage::log::{AppendError, Appended, Origin, RecordError};

use crate::{
    handlers::{Context, Turn, error::Coded},
    metadata::is_internal,
    replica::{Missing, Partition, Topic},
    services::Services,
};
use transaction::{Place, Verdicts};

/// Appends every batch before the first await, so that the requests of one connection are
/// appended in their order, then waits for what `acks` asks. Where a coordinator has to be asked
/// before, the connection's next produce waits as well.
///
/// # Errors
/// A produce that wants no answer failed.
pub async fn produce(
    services: &Arc<Services>,
    cx: &Context,
    request: ProduceRequest,
) -> Result<Option<ProduceResponse>, ErrorCode> {
    let acks = Acks::from_wire(request.acks);
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let whole = transaction::check(&request);
    let (verdicts, turn) = match whole {
        Ok(()) => verify(services, cx, &request).await,
        Err(_) => (Verdicts::new(), None),
    };
    let mut appending = Appending {
        services,
        version: cx.version,
        now: cx.now,
        acks,
        whole,
        verdicts,
        waits: Vec::new(),
    };
    let mut response = ProduceResponse::default();
    response.responses.reserve_exact(request.topic_data.len());
    for topic in request.topic_data {
        let place = response.responses.len();
        response.responses.push(appending.topic(topic, place));
    }
    let waits = appending.waits;
    drop(turn);
    if acks == Some(Acks::None) {
        return without_answer(&response);
    }
    if !waits.is_empty() {
        let deadline = services.clock.monotonic() + timeout;
        for wait in waits {
            let outcome = wait.partition.committed(wait.end, deadline).await;
            let topic = response.responses.get_mut(wait.topic);
            if let Some(answer) = topic.and_then(|it| it.partition_responses.get_mut(wait.place)) {
                answer.error_code = outcome.code();
            }
        }
    }
    Ok(Some(response))
}

/// Has the coordinator asked about batches that begin a transaction at their partition, once what
/// came before on this connection is appended. The turn is to be kept until this is, too.
async fn verify(
    services: &Services,
    cx: &Context,
    request: &ProduceRequest,
) -> (Verdicts, Option<Turn>) {
    let turns = &cx.peer.produces;
    if !turns.is_taken() && !transaction::has_questions(services, cx.version, cx.now, request) {
        return (Verdicts::new(), None);
    }
    let mut turn = turns.take();
    turn.come().await;
    let verdicts = transaction::verdicts(services, cx.version, cx.now, request).await;
    (verdicts, Some(turn))
}

/// The topic that a request of this version means.
fn find(services: &Services, version: i16, name: &str, id: Uuid) -> Result<Arc<Topic>, Missing> {
    let replicas = &services.replicas;
    if version >= FIRST_WITH_TOPIC_IDS {
        replicas.topic_by_id(id).ok_or(Missing::TopicId)
    } else {
        replicas.topic_named(name).ok_or(Missing::Topic)
    }
}

/// `acks=0`: what failed is told by closing the connection, so that the client looks the leaders
/// up again.
fn without_answer(response: &ProduceResponse) -> Result<Option<ProduceResponse>, ErrorCode> {
    let answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    let mut errors = answers.map(|it| it.error_code).filter(|&it| it != ErrorCode::None);
    errors.next().map_or(Ok(None), Err)
}

/// What has to be true before a produce is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    /// There is no answer.
    None,
    /// The leader has written it.
    Leader,
    /// It is committed.
    All,
}

impl Acks {
    fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// The synchronous part of one request.
struct Appending<'a> {
    services: &'a Services,
    version: i16,
    now: Timestamp,
    acks: Option<Acks>,
    /// Why nothing of the request is appended, if so.
    whole: Result<(), ErrorCode>,
    verdicts: Verdicts,
    /// What was appended, for `acks=all`.
    waits: Vec<Wait>,
}

/// An answer that is final once everything before `end` is committed.
struct Wait {
    partition: Arc<Partition>,
    end: Offset,
    topic: usize,
    place: usize,
}

impl Appending<'_> {
    /// `at` is the topic's place in the response.
    fn topic(&mut self, data: TopicProduceData, at: usize) -> TopicProduceResponse {
        let found = find(self.services, self.version, &data.name, data.topic_id);
        // Sharing the request's own name would keep all of it in memory while the answer waits.
        let name = match &found {
            Ok(topic) => topic.name.clone(),
            Err(_) => data.name.detached(),
        };
        let mut answers = Vec::with_capacity(data.partition_data.len());
        for partition in data.partition_data {
            let index = partition.index;
            let outcome = match &found {
                Ok(topic) => self.partition(topic, partition, (at, answers.len())),
                Err(missing) => Err(Refusal::Missing(*missing)),
            };
            answers.push(match outcome {
                Ok((partition, appended)) => {
                    let answer = accepted(index, &partition, &appended);
                    if self.acks == Some(Acks::All) {
                        let (end, place) = (appended.last_offset.next(), answers.len());
                        self.waits.push(Wait { partition, end, topic: at, place });
                    } else if self.acks == Some(Acks::Leader) {
                        partition.acknowledged(appended.last_offset.next());
                    }
                    answer
                }
                Err(refusal) => refused(index, &refusal),
            });
        }
        TopicProduceResponse { name, topic_id: data.topic_id, partition_responses: answers }
    }

    fn partition(
        &self,
        topic: &Topic,
        data: PartitionProduceData,
        place: Place,
    ) -> Result<(Arc<Partition>, Appended), Refusal> {
        self.whole.map_err(Refusal::Whole)?;
        let origin = match self.verdicts.get(&place) {
            Some(Ok(guard)) => Origin::Verified(*guard),
            Some(Err(code)) => return Err(Refusal::Unverified(*code)),
            None => Origin::Client,
        };
        let acks = self.acks.ok_or(Refusal::Acks)?;
        if is_internal(&topic.name) {
            return Err(Refusal::Internal);
        }
        let partition = topic.partition(data.index)?;
        let records = data.records.as_ref().and_then(Records::as_bytes).cloned();
        let records = records.unwrap_or_default();
        // What does not even have a header is left to the log to name.
        if let Ok(header) = BatchHeader::read(&records) {
            let zstd = header.attributes.codec() == Ok(Codec::Zstd);
            if zstd && self.version < FIRST_WITH_ZSTD {
                return Err(Refusal::ZstdTooOld);
            }
        }
        if acks == Acks::All && !partition.has_enough_replicas() {
            return Err(Refusal::NotEnoughReplicas);
        }
        let appended = partition.append_as(origin, records, self.now)?;
        Ok((partition, appended))
    }
}

/// Why nothing was appended to a partition.
#[derive(Debug)]
enum Refusal {
    Whole(ErrorCode),
    Missing(Missing),
    Acks,
    Internal,
    Unverified(ErrorCode),
    ZstdTooOld,
    NotEnoughReplicas,
    Append(AppendError),
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Whole(code) | Self::Unverified(code) => *code,
            Self::Missing(missing) => missing.code(),
            Self::Acks => ErrorCode::InvalidRequiredAcks,
            Self::Internal => ErrorCode::InvalidTopicException,
            Self::ZstdTooOld => ErrorCode::UnsupportedCompressionType,
            Self::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
            Self::Append(error) => error.code(),
        }
    }
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

fn accepted(index: i32, partition: &Partition, appended: &Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset.0,
        log_append_time_ms: appended.log_append_time.unwrap_or(Timestamp::NONE).0,
        log_start_offset: partition.log().start_offset().0,
        ..PartitionProduceResponse::default()
    }
}

fn refused(index: i32, refusal: &Refusal) -> PartitionProduceResponse {
    let records: &[RecordError] = match refusal {
        Refusal::Append(
            AppendError::Invalid { records, .. } | AppendError::InvalidTimestamp { records },
        ) => records,
        _ => &[],
    };
    let error_message = match refusal {
        Refusal::Append(error) => Some(Str::from(error.to_string())),
        Refusal::Unverified(_) => {
            Some(Str::from_static("the partition is not known to be part of the transaction"))
        }
        _ => None,
    };
    PartitionProduceResponse {
        index,
        error_code: refusal.code(),
        base_offset: NO_OFFSET,
        record_errors: records.iter().take(RECORD_ERRORS_MAX).map(record_error).collect(),
        error_message,
        ..PartitionProduceResponse::default()
    }
}

fn record_error(error: &RecordError) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage {
        batch_index: error.index,
        batch_index_error_message: Some(Str::from(&error.message)),
    }
}

const FIRST_WITH_TOPIC_IDS: i16 = 13;
const FIRST_WITH_ZSTD: i16 = 7;
const NO_OFFSET: i64 = -1;
/// A batch may hold millions of bad records; the first few tell the story.
const RECORD_ERRORS_MAX: usize = 100;
