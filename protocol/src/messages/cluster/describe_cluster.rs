//! DescribeCluster, key 60.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 60, versions 0-2, flexible 0+, DescribeClusterRequest => DescribeClusterResponse;

    /// Asks for the nodes of the cluster, without topics (KIP-700).
    struct DescribeClusterRequest {
        0+ include_cluster_authorized_operations: bool,
        1+ endpoint_type: i8 = 1,
        2+ include_fenced_brokers: bool,
    }

    /// The cluster's id, nodes and controller.
    struct DescribeClusterResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        1+ endpoint_type: i8 = 1,
        0+ cluster_id: Str,
        0+ controller_id: i32 = -1,
        0+ brokers: Vec<DescribeClusterBroker>,
        0+ cluster_authorized_operations: i32 = i32::MIN,
    }

    struct DescribeClusterBroker {
        0+ broker_id: i32,
        0+ host: Str,
        0+ port: i32,
        0+ rack: Option<Str>,
        2+ is_fenced: bool,
    }
}
