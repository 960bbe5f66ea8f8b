//! StreamsGroupTopologyDescriptionUpdate, key 93.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 93, versions 0, flexible 0+,
    StreamsGroupTopologyDescriptionUpdateRequest => StreamsGroupTopologyDescriptionUpdateResponse;

    /// Stores a readable description of a streams group's topology.
    struct StreamsGroupTopologyDescriptionUpdateRequest {
        0+ group_id: Str,
        0+ member_id: Str,
        0+ topology_epoch: i32,
        0+ topology_description: TopologyDescription,
    }

    struct TopologyDescription {
        0+ subtopologies: Vec<TopologyDescriptionSubtopology>,
        0+ global_stores: Vec<TopologyDescriptionGlobalStore>,
    }

    struct TopologyDescriptionSubtopology {
        0+ subtopology_id: Str,
        0+ nodes: Vec<TopologyDescriptionNode>,
    }

    struct TopologyDescriptionNode {
        0+ name: Str,
        0+ node_type: i8,
        0+ source_topics: Vec<Str>,
        0+ sink_topic: Option<Str>,
        0+ stores: Vec<Str>,
        0+ successors: Vec<Str>,
    }

    struct TopologyDescriptionGlobalStore {
        0+ source: TopologyDescriptionNode,
        0+ processor: TopologyDescriptionNode,
    }

    /// Whether it was stored.
    struct StreamsGroupTopologyDescriptionUpdateResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
    }
}
