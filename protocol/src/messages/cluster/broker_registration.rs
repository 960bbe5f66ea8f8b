//! BrokerRegistration, key 62.

use crate::{
    ErrorCode, Uuid,
    wire::{Str, api},
};

api! {
    key 62, versions 0-4, flexible 0+, BrokerRegistrationRequest => BrokerRegistrationResponse;

    /// Announces a broker to the controller (KIP-631).
    struct BrokerRegistrationRequest {
        0+ broker_id: i32,
        0+ cluster_id: Str,
        0+ incarnation_id: Uuid,
        0+ listeners: Vec<Listener>,
        0+ features: Vec<Feature>,
        0+ rack: Option<Str>,
        1+ is_migrating_zk_broker: bool,
        2+ log_dirs: Vec<Uuid>,
        3+ previous_broker_epoch: i64 = -1,
    }

    struct Listener {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
        0+ security_protocol: i16,
    }

    struct Feature {
        0+ name: Str,
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }

    /// The epoch under which the broker is registered.
    struct BrokerRegistrationResponse {
        0+ throttle_time_ms: i32,
        0+ error_code: ErrorCode,
        0+ broker_epoch: i64 = -1,
    }
}
