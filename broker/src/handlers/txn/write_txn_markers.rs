//! WriteTxnMarkers v1-2. v2 says by which rules the transaction went (KIP-1228). Brokers ask it of
//! each other, and tools to abort a transaction that nobody ends (KIP-664). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    messages::{
        WriteTxnMarkersRequest, WriteTxnMarkersResponse,
        txn::write_txn_markers::{
            WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
            WritableTxnMarkerTopicResult,
        },
    },
};

use crate::{
    coordinator::txn::{Level, Marker, Producer},
    handlers::{Context, error::Coded},
    services::Services,
};

pub async fn write_txn_markers(
    services: &Arc<Services>,
    _cx: &Context,
    r: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let mut markers = Vec::with_capacity(r.markers.len());
    for marker in r.markers {
        markers.push(write(services, marker).await);
    }
    WriteTxnMarkersResponse { markers }
}

/// Appends the marker everywhere, and then waits until it is committed everywhere.
async fn write(services: &Services, r: WritableTxnMarker) -> WritableTxnMarkerResult {
    let marker = Marker {
        producer: Producer {
            id: ProducerId(r.producer_id),
            epoch: ProducerEpoch(r.producer_epoch),
        },
        commit: r.transaction_result,
        coordinator_epoch: r.coordinator_epoch,
        level: Level::from_number(i16::from(r.transaction_version)),
    };
    let markers = services.transactions.markers();
    let mut written = Vec::new();
    for topic in &r.topics {
        let write = |&index: &i32| (index, markers.write(&topic.name, index, marker));
        let begun: Vec<_> = topic.partition_indexes.iter().map(write).collect();
        written.push((topic.name.clone(), begun));
    }
    let mut topics = Vec::with_capacity(written.len());
    for (name, begun) in written {
        let mut partitions = Vec::with_capacity(begun.len());
        for (partition_index, write) in begun {
            let error_code: ErrorCode = write.await.code();
            partitions.push(WritableTxnMarkerPartitionResult { partition_index, error_code });
        }
        topics.push(WritableTxnMarkerTopicResult { name, partitions });
    }
    WritableTxnMarkerResult { producer_id: r.producer_id, topics }
}
