//! DescribeLogDirs v1-5. v3 has an error for the whole, v4 the volume's size (KIP-827), v5 cordoned
//! directories (KIP-1066). Left out: cordoning.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeLogDirsRequest, DescribeLogDirsResponse,
        cluster::describe_log_dirs::{
            DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsResult,
            DescribeLogDirsTopic,
        },
    },
    wire::Str,
};

use crate::{handlers::Context, replica::LogDir, services::Services};

pub async fn describe_log_dirs(
    services: &Arc<Services>,
    _cx: &Context,
    r: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let asked = r.topics.map(partitions_asked_for);
    let dirs = services.replicas.log_dirs();
    DescribeLogDirsResponse {
        results: dirs.into_iter().map(|dir| describe(dir, asked.as_ref())).collect(),
        ..DescribeLogDirsResponse::default()
    }
}

type Asked = BTreeSet<(Str, i32)>;

fn partitions_asked_for(topics: Vec<DescribableLogDirTopic>) -> Asked {
    let named = topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |index| (topic.topic.clone(), index))
    });
    named.collect()
}

/// One directory with those of its partitions that were asked for, or all.
fn describe(dir: LogDir, asked: Option<&Asked>) -> DescribeLogDirsResult {
    let mut topics: BTreeMap<Str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in dir.logs {
        if asked.is_none_or(|asked| asked.contains(&(log.topic.clone(), log.partition))) {
            topics.entry(log.topic).or_default().push(DescribeLogDirsPartition {
                partition_index: log.partition,
                partition_size: clamped(log.bytes),
                offset_lag: log.copy_lag.unwrap_or(0),
                is_future_key: log.copy_lag.is_some(),
            });
        }
    }
    let error_code = match dir.space {
        Ok(_) => ErrorCode::None,
        Err(_) => ErrorCode::KafkaStorageError,
    };
    let (total, available) =
        dir.space.map_or((-1, -1), |space| (clamped(space.total), clamped(space.available)));
    let path = std::path::absolute(&dir.path).unwrap_or(dir.path);
    DescribeLogDirsResult {
        error_code,
        log_dir: Str::from(path.display().to_string()),
        topics: topics.into_iter().map(|(name, partitions)| topic(name, partitions)).collect(),
        total_bytes: total,
        usable_bytes: available,
        is_cordoned: false,
    }
}

fn topic(name: Str, mut partitions: Vec<DescribeLogDirsPartition>) -> DescribeLogDirsTopic {
    partitions.sort_by_key(|partition| partition.partition_index);
    DescribeLogDirsTopic { name, partitions }
}

fn clamped(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
