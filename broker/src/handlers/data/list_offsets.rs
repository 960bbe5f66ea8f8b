//! ListOffsets v1-11.
//!
//! v2 adds the isolation level, v4 leader epochs, v7 the greatest timestamp (-3), v8 the earliest
//! local offset (-4), v9 the last tiered one (-5), v10 a time-out, v11 the earliest pending upload
//! (-6).
//!
//! Left out: tiers. All offsets are local: -4 is -2, while -5 and -6 have no offset.

use std::{collections::HashSet, sync::Arc};

use milena_protocol::{
    ErrorCode, LeaderEpoch, Offset, Timestamp,
    messages::data::list_offsets::{
        ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
        ListOffsetsResponse, ListOffsetsTopicResponse,
    },
};
use milena_storage::log::{FoundOffset, ReadError};

use crate::{
    handlers::{Context, error::Coded},
    replica::{EpochError, Isolation, Missing, Partition},
    services::Services,
};

pub async fn list_offsets(
    services: &Arc<Services>,
    cx: &Context,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let isolation = Isolation::from_wire(request.isolation_level);
    let duplicates = duplicates(&request);
    let topics = request.topics.iter().map(|topic| {
        let found = services.replicas.topic_named(&topic.name).ok_or(Missing::Topic);
        let partitions = topic.partitions.iter().map(|asked| {
            let index = asked.partition_index;
            let outcome = if duplicates.contains(&(&topic.name, index)) {
                Err(Refusal::Duplicate)
            } else {
                Target::of(asked.timestamp, cx.version).ok_or(Refusal::Timestamp).and_then(
                    |target| {
                        let partition = found.as_ref().map_err(|&it| it)?.partition(index)?;
                        find(&partition, asked, target, isolation)
                    },
                )
            };
            answer(index, outcome)
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Latest,
    Earliest,
    /// The record with the greatest timestamp.
    MaxTimestamp,
    /// Something that only a tiered log has.
    Tiered,
    /// The first record with this timestamp or a later one.
    At(Timestamp),
}

impl Target {
    /// `None` for a negative timestamp that means nothing in this version.
    fn of(timestamp: i64, version: i16) -> Option<Self> {
        let (target, since) = match timestamp {
            -1 => (Self::Latest, 1),
            -2 => (Self::Earliest, 1),
            -3 => (Self::MaxTimestamp, 7),
            -4 => (Self::Earliest, 8),
            -5 => (Self::Tiered, 9),
            -6 => (Self::Tiered, 11),
            0.. => (Self::At(Timestamp(timestamp)), 1),
            _ => return None,
        };
        (version >= since).then_some(target)
    }
}

/// The offset that was asked for; `None` if there is no such record.
fn find(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    target: Target,
    isolation: Isolation,
) -> Result<Option<FoundOffset>, Refusal> {
    partition.check_epoch(asked.current_leader_epoch)?;
    let end = partition.visible_end(isolation);
    let bound = |offset: Offset, leader_epoch: Option<LeaderEpoch>| FoundOffset {
        timestamp: Timestamp::NONE,
        offset,
        leader_epoch: leader_epoch.unwrap_or(LeaderEpoch::UNKNOWN),
    };
    let found = partition.ask(|log| match target {
        Target::Latest => Ok(Some(bound(end, Some(partition.leader_epoch())))),
        Target::Earliest => {
            let start = log.start_offset();
            Ok(Some(bound(start, log.epoch_of(start))))
        }
        Target::Tiered => Ok(None),
        Target::MaxTimestamp => {
            log.max_timestamp().map(|found| found.filter(|found| found.offset < end))
        }
        Target::At(timestamp) => log.find_by_timestamp(timestamp, end),
    });
    Ok(found?)
}

fn answer(
    partition_index: i32,
    outcome: Result<Option<FoundOffset>, Refusal>,
) -> ListOffsetsPartitionResponse {
    let error_code = outcome.code();
    let none = ListOffsetsPartitionResponse {
        partition_index,
        error_code,
        ..ListOffsetsPartitionResponse::default()
    };
    match outcome {
        Ok(Some(found)) => ListOffsetsPartitionResponse {
            timestamp: found.timestamp.0,
            offset: found.offset.0,
            leader_epoch: found.leader_epoch.0,
            ..none
        },
        Ok(None) | Err(_) => none,
    }
}

/// Partitions that the request names more than once, each of which is refused.
fn duplicates(request: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    let mut seen = HashSet::new();
    let named = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.as_str(), partition.partition_index))
    });
    named.filter(|&name| !seen.insert(name)).collect()
}

#[derive(Debug)]
enum Refusal {
    Duplicate,
    Timestamp,
    Missing(Missing),
    Epoch(EpochError),
    Read(ReadError),
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate => ErrorCode::InvalidRequest,
            Self::Timestamp => ErrorCode::UnsupportedVersion,
            Self::Missing(missing) => missing.code(),
            Self::Epoch(error) => error.code(),
            Self::Read(error) => error.code(),
        }
    }
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<EpochError> for Refusal {
    fn from(error: EpochError) -> Self {
        Self::Epoch(error)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_timestamp_has_its_first_version() {
        let cases = [
            (-1, 1, Some(Target::Latest)),
            (-2, 1, Some(Target::Earliest)),
            (-3, 6, None),
            (-3, 7, Some(Target::MaxTimestamp)),
            (-4, 7, None),
            (-4, 8, Some(Target::Earliest)),
            (-5, 8, None),
            (-5, 9, Some(Target::Tiered)),
            (-6, 10, None),
            (-6, 11, Some(Target::Tiered)),
            (-7, 11, None),
            (i64::MIN, 11, None),
            (0, 1, Some(Target::At(Timestamp(0)))),
            (i64::MAX, 1, Some(Target::At(Timestamp(i64::MAX)))),
        ];
        for (timestamp, version, expected) in cases {
            assert_eq!(Target::of(timestamp, version), expected, "{timestamp} in v{version}");
        }
    }
}
