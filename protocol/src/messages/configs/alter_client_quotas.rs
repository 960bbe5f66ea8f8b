//! AlterClientQuotas, key 49.

use crate::{
    ErrorCode,
    wire::{Str, api},
};

api! {
    key 49, versions 0-1, flexible 1+, AlterClientQuotasRequest => AlterClientQuotasResponse;

    /// Sets or removes quotas of clients (KIP-546).
    struct AlterClientQuotasRequest {
        0+ entries: Vec<EntryData>,
        0+ validate_only: bool,
    }

    struct EntryData {
        0+ entity: Vec<EntityData>,
        0+ ops: Vec<OpData>,
    }

    struct EntityData {
        0+ entity_type: Str,
        0+ entity_name: Option<Str>,
    }

    struct OpData {
        0+ key: Str,
        0+ value: f64,
        0+ remove: bool,
    }

    /// What became of each entity.
    struct AlterClientQuotasResponse {
        0+ throttle_time_ms: i32,
        0+ entries: Vec<EntryDataResult>,
    }

    struct EntryDataResult {
        0+ error_code: ErrorCode,
        0+ error_message: Option<Str>,
        0+ entity: Vec<EntityDataResult>,
    }

    struct EntityDataResult {
        0+ entity_type: Str,
        0+ entity_name: Option<Str>,
    }
}
