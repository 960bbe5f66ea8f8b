//! Nodes that come, go and change.

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 0, versions 0-4, flexible 0+, RegisterBrokerRecord;

    /// A broker has registered.
    struct RegisterBrokerRecord {
        0+ broker_id: i32,
        2+ is_migrating_zk_broker: bool,
        0+ incarnation_id: Uuid,
        0+ broker_epoch: i64,
        0+ end_points: Vec<BrokerEndpoint>,
        0+ features: Vec<BrokerFeature>,
        0+ rack: Option<Str>,
        0+ fenced: bool = true,
        1+ in_controlled_shutdown: bool,
    } tagged {
        0 => 3+ log_dirs: Vec<Uuid>,
        1 => 4+ cordoned_log_dirs: Option<Vec<Uuid>>,
    }

    struct BrokerEndpoint {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
        0+ security_protocol: i16,
    }

    struct BrokerFeature {
        0+ name: Str,
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }
}

record! {
    id 1, versions 0, flexible 0+, UnregisterBrokerRecord;

    /// A broker's registration is gone.
    struct UnregisterBrokerRecord {
        0+ broker_id: i32,
        0+ broker_epoch: i64,
    }
}

record! {
    id 17, versions 0-3, flexible 0+, BrokerRegistrationChangeRecord;

    /// A registered broker was fenced, unfenced, or changed its directories.
    struct BrokerRegistrationChangeRecord {
        0+ broker_id: i32,
        0+ broker_epoch: i64,
    } tagged {
        0 => 0+ fenced: i8,
        1 => 1+ in_controlled_shutdown: i8,
        2 => 2+ log_dirs: Vec<Uuid>,
        3 => 3+ cordoned_log_dirs: Option<Vec<Uuid>>,
    }
}

record! {
    id 7, versions 0, flexible 0+, FenceBrokerRecord;

    /// A broker was fenced, as the first versions of the log said it.
    struct FenceBrokerRecord {
        0+ id: i32,
        0+ epoch: i64,
    }
}

record! {
    id 8, versions 0, flexible 0+, UnfenceBrokerRecord;

    /// A broker was unfenced, as the first versions of the log said it.
    struct UnfenceBrokerRecord {
        0+ id: i32,
        0+ epoch: i64,
    }
}

record! {
    id 27, versions 0, flexible 0+, RegisterControllerRecord;

    /// A controller has registered.
    struct RegisterControllerRecord {
        0+ controller_id: i32,
        0+ incarnation_id: Uuid,
        0+ zk_migration_ready: bool,
        0+ end_points: Vec<ControllerEndpoint>,
        0+ features: Vec<ControllerFeature>,
    }

    struct ControllerEndpoint {
        0+ name: Str,
        0+ host: Str,
        0+ port: u16,
        0+ security_protocol: i16,
    }

    struct ControllerFeature {
        0+ name: Str,
        0+ min_supported_version: i16,
        0+ max_supported_version: i16,
    }
}

record! {
    id 29, versions 0, flexible 0+, UnregisterControllerRecord;

    /// A controller's registration is gone.
    struct UnregisterControllerRecord {
        0+ controller_id: i32,
    }
}
