//! AlterReplicaLogDirs v1-2. v2 is flexible. Left out: a directory is not remembered for a
//! partition that is not here.

use std::{collections::BTreeMap, sync::Arc};

use milena_protocol::{
    ErrorCode,
    messages::{
        AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
        cluster::alter_replica_log_dirs::{
            AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
        },
    },
    wire::Str,
};

use crate::{
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn alter_replica_log_dirs(
    services: &Arc<Services>,
    _cx: &Context,
    r: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut results: BTreeMap<Str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    for dir in r.dirs {
        for topic in dir.topics {
            for partition_index in topic.partitions {
                let moved =
                    services.replicas.move_partition(&topic.name, partition_index, &dir.path);
                let error_code = moved.map_or_else(|error| error.code(), |()| ErrorCode::None);
                results
                    .entry(topic.name.clone())
                    .or_default()
                    .push(AlterReplicaLogDirPartitionResult { partition_index, error_code });
            }
        }
    }
    let results = results
        .into_iter()
        .map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult { topic_name, partitions });
    AlterReplicaLogDirsResponse { throttle_time_ms: 0, results: results.collect() }
}
