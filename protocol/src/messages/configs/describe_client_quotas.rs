//! DescribeClientQuotas, key 48.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 48, versions 0-1, flexible 1+, DescribeClientQuotasRequest => DescribeClientQuotasResponse;

    /// Asks for the quotas of the clients that match (KIP-546).
    struct DescribeClientQuotasRequest {
        0+ components: Vec<ComponentData>,
        0+ strict: bool,
    }

    struct ComponentData {
        0+ entity_type: Str,
        0+ match_type: i8,
        0+ r#match: Option<Str>,
    }

    /// The quotas of each entity.
    struct DescribeClientQuotasResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ entries: Option<Vec<EntryData>>,
    }

    struct EntryData {
        0+ entity: Vec<EntityData>,
        0+ values: Vec<ValueData>,
    }

    struct EntityData {
        0+ entity_type: Str,
        0+ entity_name: Option<Str>,
    }

    struct ValueData {
        0+ key: Str,
        0+ value: f64,
    }
}
