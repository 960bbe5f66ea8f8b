//! WriteTxnMarkers, key 27.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 27, versions 1-2, flexible 1+, WriteTxnMarkersRequest => WriteTxnMarkersResponse;

    /// Has the leaders write the end of a transaction into their partitions.
    struct WriteTxnMarkersRequest {
        0+ markers: Vec<WritableTxnMarker>,
    }

    struct WritableTxnMarker {
        0+ producer_id: i64,
        0+ producer_epoch: i16,
        0+ transaction_result: bool,
        0+ topics: Vec<WritableTxnMarkerTopic>,
        0+ coordinator_epoch: i32,
        2+ transaction_version: i8,
    }

    struct WritableTxnMarkerTopic {
        0+ name: Str,
        0+ partition_indexes: Vec<i32>,
    }

    /// What became of each marker.
    struct WriteTxnMarkersResponse {
        0+ markers: Vec<WritableTxnMarkerResult>,
    }

    struct WritableTxnMarkerResult {
        0+ producer_id: i64,
        0+ topics: Vec<WritableTxnMarkerTopicResult>,
    }

    struct WritableTxnMarkerTopicResult {
        0+ name: Str,
        0+ partitions: Vec<WritableTxnMarkerPartitionResult>,
    }

    struct WritableTxnMarkerPartitionResult {
        0+ partition_index: i32,
        0+ error_code: ErrorCode,
    }
}
