//! DeleteRecords v0-2.
//!
//! v2 is flexible, nothing else changes. Left out: waiting for followers to move their start, so
//! that the time-out is never reached.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode,
    messages::data::delete_records::{
        DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
        DeleteRecordsTopicResult,
    },
};

use crate::{
    handlers::{Context, error::Coded},
    metadata::is_internal,
    replica::{Deletion, Missing, Topic},
    services::Services,
};

pub async fn delete_records(
    services: &Arc<Services>,
    _cx: &Context,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut deletions = Vec::new();
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let found = find(services, &topic.name);
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = found.as_ref().map_err(|refusal| refusal.code());
            let partition = partition.and_then(|topic| {
                topic.partition(asked.partition_index).map_err(|missing| missing.code())
            });
            let before = (asked.offset != TO_HIGH_WATERMARK).then_some(asked.offset);
            let error_code = match partition {
                Ok(partition) => {
                    deletions.push(Deletion { partition, before });
                    ErrorCode::None
                }
                Err(code) => code,
            };
            DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: NO_WATERMARK,
                error_code,
            }
        });
        let partitions = partitions.collect();
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    if deletions.is_empty() {
        return response;
    }
    let deleted = services.replicas.delete_records(deletions).await;
    // In the order of the request, as they were found.
    let answers = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let answers = answers.filter(|answer| answer.error_code == ErrorCode::None);
    for (answer, outcome) in answers.zip(deleted) {
        answer.error_code = outcome.code();
        answer.low_watermark = outcome.map_or(NO_WATERMARK, |start| start.0);
    }
    response
}

fn find(services: &Services, name: &str) -> Result<Arc<Topic>, Refusal> {
    if is_internal(name) {
        return Err(Refusal::Internal);
    }
    services.replicas.topic_named(name).ok_or(Refusal::Missing(Missing::Topic))
}

#[derive(Debug)]
enum Refusal {
    Internal,
    Missing(Missing),
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Internal => ErrorCode::InvalidTopicException,
            Self::Missing(missing) => missing.code(),
        }
    }
}

const TO_HIGH_WATERMARK: i64 = -1;
const NO_WATERMARK: i64 = -1;
