//! DescribeQuorum v0-2. v1 has the times of the last fetch (KIP-836), v2 directory ids, listeners
//! and messages (KIP-853). Left out: nothing; the quorum is this node alone.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        DescribeQuorumRequest, DescribeQuorumResponse,
        quorum::describe_quorum::{
            Listener, Node, PartitionDataResult, ReplicaState, TopicDataResult,
        },
    },
    wire::Str,
};

use crate::{
    handlers::{Context, brokers},
    services::Services,
};

pub async fn describe_quorum(
    services: &Arc<Services>,
    cx: &Context,
    r: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let topics = r.topics.into_iter().map(|topic| {
        let ours = topic.topic_name == *TOPIC;
        let partitions =
            topic.partitions.into_iter().map(|partition| match partition.partition_index {
                0 if ours => state(services, cx),
                index => unknown(index),
            });
        TopicDataResult { partitions: partitions.collect(), topic_name: topic.topic_name }
    });
    let nodes = brokers::seen_by(services, cx, true).into_iter().map(|seen| Node {
        node_id: seen.broker.id,
        listeners: vec![Listener {
            name: Str::from(&cx.peer.listener.name),
            host: seen.host,
            port: u16::try_from(seen.port).unwrap_or_default(),
        }],
    });
    DescribeQuorumResponse {
        nodes: nodes.collect(),
        topics: topics.collect(),
        ..DescribeQuorumResponse::default()
    }
}

fn state(services: &Services, cx: &Context) -> PartitionDataResult {
    let id = services.identity.node_id;
    let status = services.metadata.status();
    let image = services.metadata.image();
    let directory = image.broker(id).and_then(|broker| broker.directories.first().copied());
    PartitionDataResult {
        leader_id: id,
        leader_epoch: status.epoch.0,
        high_watermark: status.committed,
        current_voters: vec![ReplicaState {
            replica_id: id,
            replica_directory_id: directory.unwrap_or(Uuid::ZERO),
            log_end_offset: status.committed,
            last_fetch_timestamp: cx.now.0,
            last_caught_up_timestamp: cx.now.0,
        }],
        ..PartitionDataResult::default()
    }
}

fn unknown(partition_index: i32) -> PartitionDataResult {
    PartitionDataResult {
        partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition,
        error_message: Some(Str::from_static("only __cluster_metadata-0 has a quorum")),
        ..PartitionDataResult::default()
    }
}

const TOPIC: &str = "__cluster_metadata";
