//! The cluster as a whole, and the log itself.

use crate::wire::{Str, record};

record! {
    id 12, versions 0, flexible 0+, FeatureLevelRecord;

    /// A finalized feature has a new level.
    struct FeatureLevelRecord {
        0+ name: Str,
        0+ feature_level: i16,
    }
}

record! {
    id 15, versions 0, flexible 0+, ProducerIdsRecord;

    /// A broker took a block of producer ids.
    struct ProducerIdsRecord {
        0+ broker_id: i32,
        0+ broker_epoch: i64 = -1,
        0+ next_producer_id: i64,
    }
}

record! {
    id 21, versions 0, flexible 0+, ZkMigrationStateRecord;

    /// How far a migration from ZooKeeper went, in logs that began with one.
    struct ZkMigrationStateRecord {
        0+ zk_migration_state: i8,
    }
}

record! {
    id 20, versions 0, flexible 0+, NoOpRecord;

    /// Nothing; it only moves the log's end.
    struct NoOpRecord {}
}

record! {
    id 23, versions 0, flexible 0+, BeginTransactionRecord;

    /// What follows takes effect together, at the end of the transaction.
    struct BeginTransactionRecord {} tagged {
        0 => 0+ name: Option<Str>,
    }
}

record! {
    id 24, versions 0, flexible 0+, EndTransactionRecord;

    /// What came since the beginning takes effect.
    struct EndTransactionRecord {}
}

record! {
    id 25, versions 0, flexible 0+, AbortTransactionRecord;

    /// What came since the beginning is void.
    struct AbortTransactionRecord {} tagged {
        0 => 0+ reason: Option<Str>,
    }
}
